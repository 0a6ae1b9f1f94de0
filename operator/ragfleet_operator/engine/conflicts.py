"""Who takes fields of ours back, how often, and when we stop taking turns."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ragfleet_operator.engine.errors import Held
from ragfleet_operator.model import ChildFault, Fault, Key, Ref
from ragfleet_operator.names import FIELD_MANAGER, HANDOVER_MANAGER

# Edits by hand are restored and no more said; a manager that goes on doing so after the first, and does it
# three times in ten minutes, goes on for ever.
_WINDOW_SECONDS = 600.0
_TIMES = 3
_FIRST_PAUSE = 60.0
_MOST_PAUSE = 600.0


@dataclass(slots=True)
class _Quarrel:
    times: dict[Held, list[float]] = field(default_factory=dict)
    restored: int = 0
    next_restore: float = 0.0
    last: float = float("-inf")


class ConflictMemory:
    """Conflicts by child. ``now``: seconds of a clock that doesn't go back."""

    def __init__(self) -> None:
        self._quarrels: dict[Key, dict[Ref, _Quarrel]] = {}

    def restoring(self, key: Key, ref: Ref, now: float) -> bool:
        """Take that a child is about to be restored; whether it wasn't within the ten minutes before."""
        quarrel = self._quarrels.setdefault(key, {}).setdefault(ref, _Quarrel())
        before, quarrel.last = quarrel.last, now
        return now - before >= _WINDOW_SECONDS

    def note(self, key: Key, ref: Ref, held: Iterable[Held], now: float) -> None:
        """We are about to take fields back from those who hold them."""
        quarrel = self._quarrels.setdefault(key, {}).setdefault(ref, _Quarrel())
        for item in held:
            if item.manager != HANDOVER_MANAGER:
                quarrel.times.setdefault(item, []).append(now)
        if self._offenders(quarrel, now):
            pause = min(_FIRST_PAUSE * 2.0 ** min(quarrel.restored, 10), _MOST_PAUSE)
            quarrel.restored += 1
            quarrel.next_restore = now + pause

    def pauses(self, key: Key, ref: Ref, now: float) -> bool:
        """Whether a child is left as another manager has it, for the time being."""
        quarrel = self._quarrels.get(key, {}).get(ref)
        return quarrel is not None and now < quarrel.next_restore

    def fault(self, key: Key, ref: Ref, now: float) -> ChildFault | None:
        """What to say while a manager goes on taking a field back."""
        quarrel = self._quarrels.get(key, {}).get(ref)
        if quarrel is None:
            return None
        offenders = self._offenders(quarrel, now)
        if not offenders:
            if not quarrel.times and now - quarrel.last >= _WINDOW_SECONDS:
                self._quarrels[key].pop(ref)
            return None
        managers = " and ".join(sorted({f'"{held.manager}"' for held in offenders}))
        fields = ", ".join(sorted({held.field.lstrip(".") for held in offenders}))
        message = (
            f'{ref.kind.kind} "{ref.name}": {managers} and "{FIELD_MANAGER}" both set {fields}, again and '
            f"again; stop the other one, or have it leave this field to the pipeline's spec"
        )
        return ChildFault(ref, Fault.CONFLICT, message)

    def forget(self, key: Key) -> None:
        """Drop what is known of a pipeline's children."""
        self._quarrels.pop(key, None)

    @staticmethod
    def _offenders(quarrel: _Quarrel, now: float) -> list[Held]:
        recent = {
            held: [time for time in times if now - time < _WINDOW_SECONDS]
            for held, times in quarrel.times.items()
        }
        quarrel.times = {held: times for held, times in recent.items() if times}
        return [held for held, times in quarrel.times.items() if len(times) >= _TIMES]
