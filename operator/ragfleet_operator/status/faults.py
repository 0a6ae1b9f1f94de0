"""ChildrenApplied: whether the pipeline's objects are as they should be."""

from __future__ import annotations

from typing import Final

from ragfleet_operator.kinds import CHILDREN
from ragfleet_operator.model import ChildFault, Fault, Observation
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.conditions import CHILDREN_APPLIED, Status, Verdict
from ragfleet_operator.text import listed, one_line

# What needs a person most comes first; what may pass by itself comes last.
_ORDER: Final = {
    Fault.FOREIGN: r.OWNED_BY_ANOTHER,
    Fault.FORBIDDEN: r.FORBIDDEN,
    Fault.INVALID: r.INVALID,
    Fault.IMMUTABLE: r.IMMUTABLE_FIELD,
    Fault.UNSERVED: r.KIND_NOT_SERVED,
    Fault.QUOTA: r.QUOTA_EXCEEDED,
    Fault.CONFLICT: r.FIELD_CONFLICT,
    Fault.DELETING: r.STUCK_IN_DELETION,
    Fault.UNAVAILABLE: r.API_UNAVAILABLE,
}
_RANKS: Final = list(_ORDER)
_SHOWN: Final = 3
_MAX_ITEM: Final = 300


def children_applied(seen: Observation) -> Verdict:
    """Whether everything that should be applied is; what is wrong with the first few where not."""
    faults = sorted(seen.faults, key=_rank)
    if faults:
        reason = _ORDER[faults[0].fault]
        status: Status = "Unknown" if reason is r.API_UNAVAILABLE else "False"
        items = [_told(fault) for fault in faults]
        return Verdict(CHILDREN_APPLIED, status, reason, listed(list(dict.fromkeys(items)), _SHOWN))
    if seen.held_fingerprint is not None or seen.missing:
        message = "the ConfigMap and the Deployment wait, Ready tells for what; the rest is applied"
        return Verdict(CHILDREN_APPLIED, "False", r.WORKLOAD_WAITS, message)
    return Verdict(CHILDREN_APPLIED, "True", r.APPLIED, "every object is as it should be")


def _told(fault: ChildFault) -> str:
    unsaid = f'{fault.ref.kind.kind} "{fault.ref.name}" is not as it should be'
    return one_line(fault.message, _MAX_ITEM) or one_line(unsaid, _MAX_ITEM)


def _rank(fault: ChildFault) -> tuple[int, int, str, str]:
    kind = fault.ref.kind
    place = CHILDREN.index(kind) if kind in CHILDREN else len(CHILDREN)
    return _RANKS.index(fault.fault), place, fault.ref.name, fault.message
