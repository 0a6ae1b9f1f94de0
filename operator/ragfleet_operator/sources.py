"""What is watched, and how each watch is doing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, PIPELINE, SECRET, Kind
from ragfleet_operator.names import PIPELINE_LABEL, WATCH_LABEL

# One AND-ed selector for a request: what has either label takes two.
_CHILDREN_SELECTOR = PIPELINE_LABEL
_REFERENCED_SELECTOR = f"{WATCH_LABEL}=true"


@dataclass(frozen=True, slots=True)
class Source:
    """Objects to watch: of one kind, in one namespace or (None) in all, with a label selector or all ("")."""

    kind: Kind
    namespace: str | None
    selector: str = ""

    @property
    def path(self) -> str:
        """Their path on the API server."""
        return self.kind.path(self.namespace)

    @property
    def namespaces(self) -> Sequence[str] | None:
        """The namespace as the engine takes it: None for all."""
        return None if self.namespace is None else [self.namespace]

    def __str__(self) -> str:
        """For people, and unique among a program's sources."""
        what = "referenced " if self.selector == _REFERENCED_SELECTOR else ""
        where = "" if self.namespace is None else f" in {self.namespace}"
        return f"{what}{self.kind.plural}{where}"


def all_sources(namespaces: Sequence[str]) -> tuple[Source, ...]:
    """All that is watched in some namespaces; none means in the whole cluster."""
    return (*pipeline_sources(namespaces), *child_sources(namespaces))


def pipeline_sources(namespaces: Sequence[str]) -> tuple[Source, ...]:
    """The pipelines of some namespaces; none means all of the cluster."""
    return tuple(Source(PIPELINE, place) for place in _places(namespaces))


def child_sources(namespaces: Sequence[str]) -> tuple[Source, ...]:
    """What pipelines have, and the Secrets and ConfigMaps that people want watched."""
    wanted = [(kind, _CHILDREN_SELECTOR) for kind in CHILDREN]
    wanted += [(kind, _REFERENCED_SELECTOR) for kind in (SECRET, CONFIG_MAP)]
    return tuple(Source(kind, place, selector) for place in _places(namespaces) for kind, selector in wanted)


def _places(namespaces: Sequence[str]) -> Sequence[str | None]:
    return tuple(dict.fromkeys(namespaces)) or (None,)


class Phase(StrEnum):
    """What a watch is doing."""

    STARTING = "starting"
    LISTENING = "listening"
    LOST = "lost"
    FORBIDDEN = "forbidden"
    ABSENT = "absent"


class WatchState:
    """How one watch is doing. silence: seconds without a sign of life after which it counts as dead.

    synced: the cache has held everything of it at least once. settled: it has, or can't for now, since the
    server says that the kind isn't there or that it may not be read.
    """

    def __init__(self, source: Source, silence: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.source = source
        self.silence = silence
        self.phase = Phase.STARTING
        self.synced = False
        self.message = ""
        self._clock = clock
        self._alive = clock()

    @property
    def settled(self) -> bool:
        """See the class."""
        return self.synced or self.phase in {Phase.FORBIDDEN, Phase.ABSENT}

    @property
    def age(self) -> float:
        """Seconds since the last event, bookmark or answer; since the start before the first."""
        return self._clock() - self._alive

    def alive(self) -> None:
        """There was an event, a bookmark or an answer."""
        self._alive = self._clock()

    def enter(self, phase: Phase, message: str = "") -> bool:
        """Change the phase; whether it is another one."""
        changed = phase is not self.phase
        self.phase, self.message = phase, message
        if phase in {Phase.FORBIDDEN, Phase.ABSENT}:
            self.synced = False
        return changed


def unsettled(states: Iterable[WatchState]) -> list[WatchState]:
    """Those that the program still waits for."""
    return [state for state in states if not state.settled]
