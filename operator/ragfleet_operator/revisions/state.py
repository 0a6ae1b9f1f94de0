"""``status.revisions``: which revisions count, from pass to pass."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ragfleet_operator.model import Object, Rejected, Revisions
from ragfleet_operator.render.parts import some

# Bounds of ragfleet_api.status, so that what is told can be written.
_MAX_TEXT: Final = 253


def state_of(status: Object) -> Revisions:
    """What a stored status says; what is missing or isn't as it should be counts as not said."""
    found = _mapping(status.get("revisions"))
    return Revisions(
        current=_text(found, "current"),
        last_good=_text(found, "lastGood"),
        rejected=_rejected(_mapping(found.get("rejected"))),
        pinned=_text(found, "pinned"),
    )


def as_json(state: Revisions) -> dict[str, Any]:
    """As it is stored; {} where there is nothing to say. A pin that leads nowhere is told, not stored."""
    rejected = state.rejected
    return some(
        current=state.current,
        lastGood=state.last_good,
        pinned=state.pinned,
        rejected=None if rejected is None else _as_json(rejected),
    )


def is_rolled_back(state: Revisions) -> bool:
    """Whether another revision runs than the one asked for, because that was rejected."""
    rejected = state.rejected
    if rejected is None or state.current == rejected.revision:
        return False
    return state.pinned in ("", rejected.revision)


def _as_json(rejected: Rejected) -> dict[str, Any]:
    return {
        "revision": rejected.revision,
        "generation": rejected.generation,
        "reason": rejected.reason,
        "message": rejected.message,
        **some(pin=rejected.pin),
    }


def _rejected(found: Mapping[str, Any]) -> Rejected | None:
    revision, reason, generation = _text(found, "revision"), _text(found, "reason"), found.get("generation")
    if not revision or not reason or not isinstance(generation, int) or isinstance(generation, bool):
        return None
    message = found.get("message")
    return Rejected(
        revision=revision,
        generation=generation,
        reason=reason,
        message=message if isinstance(message, str) else "",
        pin=_text(found, "pin"),
    )


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    return value if isinstance(value, str) and len(value) <= _MAX_TEXT else ""
