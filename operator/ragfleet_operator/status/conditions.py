"""The conditions of a pipeline: their types, what each may say, and how they are kept from pass to pass."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

from ragfleet_operator.model import Object
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.reasons import Reason
from ragfleet_operator.text import one_line

Status = Literal["True", "False", "Unknown"]

READY: Final = "Ready"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
SUSPENDED: Final = "Suspended"
CHILDREN_APPLIED: Final = "ChildrenApplied"
SECRETS_RESOLVED: Final = "SecretsResolved"
RUNTIME_AVAILABLE: Final = "RuntimeAvailable"
VECTOR_STORE_REACHABLE: Final = "VectorStoreReachable"
INDEX_READY: Final = "IndexReady"

# What each is about, in the order in which they are written.
MEANINGS: Final[Mapping[str, str]] = {
    READY: "the service is as the specification says, and usable; sums up the others",
    RECONCILING: "the operator is at work on it; present only while true",
    STALLED: "it won't go on without a person; present only while true, and never beside Reconciling",
    SUSPENDED: "nothing is changed; present only while true",
    CHILDREN_APPLIED: "the objects of the pipeline are as the specification says",
    SECRETS_RESOLVED: "Secrets, ConfigMaps, claims and accounts that the specification names are there",
    RUNTIME_AVAILABLE: "at least one replica serves, of whichever version",
    VECTOR_STORE_REACHABLE: "the vector store answers the service",
    INDEX_READY: "the index is this pipeline's and fits its specification",
}
# Known only by asking the service.
POLLED: Final = frozenset({VECTOR_STORE_REACHABLE, INDEX_READY})

_FAULTS: Final = (
    r.OWNED_BY_ANOTHER,
    r.FIELD_CONFLICT,
    r.FORBIDDEN,
    r.IMMUTABLE_FIELD,
    r.KIND_NOT_SERVED,
    r.INVALID,
    r.QUOTA_EXCEEDED,
    r.STUCK_IN_DELETION,
)
_MISSING: Final = (
    r.SECRET_MISSING,
    r.SECRET_KEY_MISSING,
    r.CONFIG_MAP_MISSING,
    r.CONFIG_MAP_KEY_MISSING,
    r.CLAIM_MISSING,
    r.SERVICE_ACCOUNT_MISSING,
    r.REFERENCE_MISSING,
)
_PODS: Final = (
    r.PODS_REFUSED,
    r.IMAGE_PULL_BACK_OFF,
    r.CRASH_LOOP_BACK_OFF,
    r.CONTAINER_CONFIG_ERROR,
    r.DEADLINE_EXCEEDED,
    r.UNSCHEDULABLE,
)
_REFUSED: Final = (r.COLLECTION_OWNED_BY_ANOTHER, r.FINGERPRINT_MISMATCH)
_NOT_READY: Final = (
    r.INVALID_SPEC,
    *_FAULTS,
    *_MISSING,
    r.REINDEX_REQUIRED,
    r.REVISION_NOT_FOUND,
    r.IMAGE_OUTDATED,
    r.ROLLED_BACK,
    r.VOLUME_LOST,
    *_PODS,
    *_REFUSED,
    r.VECTOR_STORE_UNREACHABLE,
    r.NOT_DEPLOYED,
    r.PROGRESSING,
    r.ROLLOUT_IN_PROGRESS,
)
_NOT_KNOWN: Final = (r.API_UNAVAILABLE, r.NOT_CHECKED)
_NOT_TOLD: Final = (r.NOT_POLLED, r.NO_ANSWER, r.NOT_REPORTED)

# Every reason that a condition may have, by its status.
ALLOWED: Final[Mapping[str, Mapping[Status, tuple[Reason, ...]]]] = {
    READY: {
        "True": (r.READY, r.SCALED_TO_ZERO, r.PINNED),
        "False": _NOT_READY,
        "Unknown": (*_NOT_KNOWN, r.SUSPENDED),
    },
    RECONCILING: {"True": tuple(x for x in (*_NOT_READY, *_NOT_KNOWN) if not x.needs_person)},
    STALLED: {"True": tuple(x for x in _NOT_READY if x.needs_person)},
    SUSPENDED: {"True": (r.SUSPENDED,)},
    CHILDREN_APPLIED: {
        "True": (r.APPLIED,),
        "False": (*_FAULTS, r.WORKLOAD_WAITS),
        "Unknown": (r.API_UNAVAILABLE, r.SUSPENDED),
    },
    SECRETS_RESOLVED: {
        "True": (r.RESOLVED,),
        "False": _MISSING,
        "Unknown": (r.NOT_CHECKED, r.SUSPENDED),
    },
    RUNTIME_AVAILABLE: {
        "True": (r.AVAILABLE,),
        "False": (r.QUOTA_EXCEEDED, *_PODS, r.PROGRESSING, r.SCALED_TO_ZERO, r.NOT_DEPLOYED),
        "Unknown": (r.API_UNAVAILABLE,),
    },
    VECTOR_STORE_REACHABLE: {
        "True": (r.REACHABLE,),
        "False": (r.VECTOR_STORE_UNREACHABLE,),
        "Unknown": _NOT_TOLD,
    },
    INDEX_READY: {
        "True": (r.SERVING,),
        "False": (r.REINDEX_REQUIRED, *_REFUSED),
        "Unknown": (r.VECTOR_STORE_UNREACHABLE, *_NOT_TOLD),
    },
}
_BY_WORD: Final[Mapping[str, Reason]] = {
    reason.word: reason
    for by_status in ALLOWED.values()
    for reasons in by_status.values()
    for reason in reasons
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a condition says now. message: for people, any length; it is cut where it is written."""

    type: str
    status: Status
    reason: Reason
    message: str


def conditions_of(status: Object) -> dict[str, Mapping[str, Any]]:
    """The conditions of a stored status by type."""
    return {condition["type"]: condition for condition in status.get("conditions") or ()}


def reason_of(word: str | None) -> Reason | None:
    """The reason with that word, None for one that isn't ours."""
    return None if word is None else _BY_WORD.get(word)


def is_true(status: Object, type_: str) -> bool:
    """Whether a stored status has the condition, and says that it holds."""
    return conditions_of(status).get(type_, {}).get("status") == "True"


def written(
    verdicts: Iterable[Verdict], old: Object, generation: int, now: datetime
) -> list[Mapping[str, Any]]:
    """The conditions as JSON, in the order of ``MEANINGS``, then those of the old status that aren't ours.

    generation: what the verdicts are about. A condition keeps its lastTransitionTime while its status stays.
    """
    before = conditions_of(old)
    found = {verdict.type: verdict for verdict in verdicts}
    others = [condition for type_, condition in before.items() if type_ not in MEANINGS]
    ours = [
        _as_json(found[type_], before.get(type_, {}), generation, now) for type_ in MEANINGS if type_ in found
    ]
    return [*ours, *others]


def with_summary(ready: Verdict, rest: Sequence[Verdict]) -> list[Verdict]:
    """Ready and the rest, with Reconciling or Stalled as Ready's reason asks for.

    Never both: kstatus goes by whichever comes first.
    """
    if ready.status == "True" or ready.reason is r.SUSPENDED:
        return [ready, *rest]
    type_ = STALLED if ready.reason.needs_person else RECONCILING
    return [ready, Verdict(type_, "True", ready.reason, ready.message), *rest]


def _as_json(verdict: Verdict, before: Mapping[str, Any], generation: int, now: datetime) -> dict[str, Any]:
    since = before.get("lastTransitionTime") if before.get("status") == verdict.status else None
    return {
        "type": verdict.type,
        "status": verdict.status,
        "observedGeneration": generation,
        "lastTransitionTime": since or now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "reason": verdict.reason.word,
        "message": one_line(verdict.message),
    }
