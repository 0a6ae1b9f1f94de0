"""From one status to the next: what to write, how soon, and which Events to post."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any, Final, Literal, NamedTuple

from ragfleet_operator.model import Object
from ragfleet_operator.status.conditions import (
    POLLED,
    READY,
    RECONCILING,
    RUNTIME_AVAILABLE,
    STALLED,
    SUSPENDED,
    conditions_of,
    is_true,
    reason_of,
)
from ragfleet_operator.status.reasons import PROGRESSING, ROLLOUT_IN_PROGRESS

# Both say what Ready says.
_WITHOUT_EVENTS: Final = frozenset({RECONCILING, STALLED})
# From one to the other nothing changes for who waits.
_UNDER_WAY: Final = frozenset({PROGRESSING.word, ROLLOUT_IN_PROGRESS.word})
# Of revisions the operator itself reads what it wrote: forgotten, it would go back too far, or try again.
_READ_AT_ONCE: Final = ("observedGeneration", "endpoint", "revisions")
_RESUMED: Final = "Resumed"


class Urgency(Enum):
    """How soon a status should be written."""

    NONE = "none"
    LATER = "later"
    NOW = "now"


class Transition(NamedTuple):
    """An Event to post: something that people wait for or should look at has changed."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


def urgency(old: Object, new: Object) -> Urgency:
    """How soon ``new`` should be written where ``old`` is stored.

    NOW: the generation, the endpoint, which revisions count, or a condition's status or reason differs.
    LATER: other texts or numbers, what is told by asking the service as long as it isn't bad news, and the
    first available replica of several: what people wait for is Ready.
    """
    if old == new:
        return Urgency.NONE
    if any(old.get(name) != new.get(name) for name in _READ_AT_ONCE):
        return Urgency.NOW
    before, after = conditions_of(old), conditions_of(new)
    types = {*before, *after}
    flips = (type_ for type_ in types if _essence(before.get(type_)) != _essence(after.get(type_)))
    is_urgent = any(_is_urgent(type_, before.get(type_), after.get(type_)) for type_ in flips)
    return Urgency.NOW if is_urgent else Urgency.LATER


def transitions(old: Object, new: Object) -> tuple[Transition, ...]:
    """The Events for a change: one for each reason, none where no condition's status or reason changed."""
    before, after = conditions_of(old), conditions_of(new)
    found: dict[str, Transition] = {}
    for type_, condition in after.items():
        if type_ in _WITHOUT_EVENTS or _essence(before.get(type_)) == _essence(condition):
            continue
        for transition in _events(type_, before.get(type_), condition):
            found.setdefault(transition.reason, transition)
    if is_true(old, SUSPENDED) and not is_true(new, SUSPENDED):
        found.setdefault(_RESUMED, Transition("Normal", _RESUMED, "the specification is applied again"))
    return tuple(found.values())


def is_settled(status: Object) -> bool:
    """Whether there is nothing to wait for: it is ready, suspended, or needs a person."""
    return any(is_true(status, type_) for type_ in (READY, STALLED, SUSPENDED))


def is_stalled(status: Object) -> bool:
    """Whether a person must do something."""
    return is_true(status, STALLED)


def patch(old: Object, new: Object) -> dict[str, Any]:
    """The JSON merge patch (RFC 7386) that makes ``new`` of ``old``; {} where they are equal.

    Fields that ``new`` doesn't have are taken away. Lists are written whole.
    """
    changes: dict[str, Any] = dict.fromkeys(name for name in old if name not in new)
    for name, value in new.items():
        if name not in old:
            changes[name] = value
        elif isinstance(value, Mapping) and isinstance(old[name], Mapping):
            if inner := patch(old[name], value):
                changes[name] = inner
        elif old[name] != value:
            changes[name] = value
    return changes


def _events(type_: str, before: Mapping[str, Any] | None, after: Mapping[str, Any]) -> Iterator[Transition]:
    reason, message = after["reason"], after["message"]
    if _is_bad(after) and (after["status"] == "False" or type_ == READY):
        yield Transition("Warning", reason, message)
    elif type_ == SUSPENDED:
        yield Transition("Normal", reason, message)
    elif type_ == READY:
        # The first status of a new pipeline only says that work has begun.
        if before is not None or after["status"] == "True":
            yield Transition("Normal", reason, message)
    elif after["status"] == "True" and before is not None and _is_bad(before) and before["status"] == "False":
        yield Transition("Normal", reason, message)


def _is_bad(condition: Mapping[str, Any]) -> bool:
    known = reason_of(condition["reason"])
    return condition["status"] != "True" and known is not None and not known.calm


def _is_urgent(type_: str, old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> bool:
    """Whether a flip is one that people wait for, or should see at once."""
    if type_ in POLLED:
        return any(one is not None and one["status"] == "False" for one in (old, new))
    if old is None or new is None or _is_bad(old) or _is_bad(new):
        return True
    if type_ == RUNTIME_AVAILABLE:
        return bool(new["status"] != "True")
    return old["status"] != new["status"] or not {old["reason"], new["reason"]} <= _UNDER_WAY


def _essence(condition: Mapping[str, Any] | None) -> tuple[Any, Any] | None:
    return None if condition is None else (condition["status"], condition["reason"])
