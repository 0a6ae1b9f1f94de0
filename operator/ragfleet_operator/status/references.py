"""SecretsResolved: whether what the specification names is there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from ragfleet_operator.model import Missing, Observation, Pipeline
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.conditions import SECRETS_RESOLVED, Verdict
from ragfleet_operator.status.reasons import Reason
from ragfleet_operator.text import listed

# By what is missing: for all of it, and for an entry. The first that applies is the condition's reason.
_REASONS: Final[Mapping[str, tuple[Reason, Reason]]] = {
    "Secret": (r.SECRET_MISSING, r.SECRET_KEY_MISSING),
    "ConfigMap": (r.CONFIG_MAP_MISSING, r.CONFIG_MAP_KEY_MISSING),
    "PersistentVolumeClaim": (r.CLAIM_MISSING, r.CLAIM_MISSING),
    "ServiceAccount": (r.SERVICE_ACCOUNT_MISSING, r.SERVICE_ACCOUNT_MISSING),
}
_OTHER: Final = (r.REFERENCE_MISSING, r.REFERENCE_MISSING)
_ORDER: Final = tuple(dict.fromkeys(reason for pair in (*_REASONS.values(), _OTHER) for reason in pair))
_SHOWN: Final = 8


def secrets_resolved(pipeline: Pipeline, seen: Observation) -> Verdict:
    """Whether all that the spec names was found. The message has names and keys, never a value."""
    if seen.missing is None:
        return Verdict(SECRETS_RESOLVED, "Unknown", r.NOT_CHECKED, "not looked for yet")
    if not seen.missing:
        return Verdict(SECRETS_RESOLVED, "True", r.RESOLVED, "all that the specification names is there")
    reason = min((_reason(missing) for missing in seen.missing), key=_ORDER.index)
    items = sorted({_shown(missing) for missing in seen.missing})
    message = f"missing in namespace {pipeline.key.namespace}, create it: {listed(items, _SHOWN)}"
    return Verdict(SECRETS_RESOLVED, "False", reason, message)


def _reason(missing: Missing) -> Reason:
    whole, entry = _REASONS.get(missing.what, _OTHER)
    return entry if missing.key else whole


def _shown(missing: Missing) -> str:
    entry = f'entry "{missing.key}" of ' if missing.key else ""
    return f'{entry}{missing.what} "{missing.name}" ({missing.used_by})'
