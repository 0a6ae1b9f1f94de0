"""Kill points: moments at which an operator is killed, right before or right after one of its writes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from support.fault_proxy import Done, FaultProxy
from support.fault_proxy_calls import Call
from support.fault_proxy_forks import Fork, Forks
from support.fault_proxy_rules import Cut, Rule
from support.operator_process import IMAGE

# Posted for people; the next operator doesn't post it again, and nothing depends on it.
_NEWS: Final = "events"
_STATUS: Final = "ragpipelines/status"


@dataclass(frozen=True, slots=True)
class Write:
    """A kind of write among those of one pipeline. tells: see Call. nth: of its kind, from 0."""

    verb: str
    resource: str
    manager: str
    tells: str = ""
    nth: int = 0

    def __str__(self) -> str:
        """For people."""
        return f"{self.verb} {self.resource} {self.tells} #{self.nth} by {self.manager}"


@dataclass(frozen=True, slots=True)
class KillPoint:
    """Right before a write reaches the server, or (after) once it is done and not yet answered."""

    write: Write
    after: bool

    def __str__(self) -> str:
        """For people."""
        return f"{'after' if self.after else 'before'} {self.write}"


def kill_points(log: Sequence[Done], name: str, *, each: bool) -> list[KillPoint]:
    """Kill points of the writes that were made for a pipeline.

    each: of each write; else of the first of each kind. What is told of a pipeline on its way may be told or
    not, as it comes: of its status, only what it tells at the end is a kill point.
    """
    counts: dict[Write, int] = {}
    for done in log:
        if done.call.is_write and done.call.resource != _NEWS and is_for(done.call, name):
            kind = _kind(done.call)
            counts[kind] = counts.get(kind, 0) + 1
    return [
        KillPoint(replace(kind, nth=nth), after)
        for kind, count in counts.items()
        if kind.tells or kind.resource != _STATUS
        for nth in (range(count) if each else (0,))
        for after in (False, True)
    ]


def is_for(call: Call, name: str) -> bool:
    """Whether a write is for a pipeline: its own name, or that of a child."""
    return call.name == name or call.name.startswith(f"{name}-")


def _kind(call: Call) -> Write:
    return Write(call.verb, call.resource, call.manager, call.tells)


@dataclass(frozen=True, slots=True)
class _Fits:
    """Whether a call is that write of that pipeline."""

    namespace: str
    name: str
    write: Write

    def __call__(self, call: Call) -> bool:
        """See the class."""
        is_kind = _kind(call) == replace(self.write, nth=0)
        return is_kind and call.namespace == self.namespace and is_for(call, self.name)


class Chain:
    """Operators one after the other, each killed at one of the points that are set."""

    def __init__(self, proxy: FaultProxy, forks: Forks, namespaces: Sequence[str], kubeconfig: Path) -> None:
        self.lives = 0
        self._proxy = proxy
        self._forks = forks
        self._namespaces = tuple(namespaces)
        self._kubeconfig = kubeconfig
        self._points: list[tuple[Rule, str]] = []
        self._running: Fork | None = None

    def set(self, namespace: str, name: str, point: KillPoint) -> None:
        """Kill the operator of that moment when it comes to this point of a pipeline."""
        fits = _Fits(namespace, name, point.write)
        rule = self._proxy.add(Cut(point.after, self._kill), fits, times=1, skip=point.write.nth)
        self._points.append((rule, f"{name}: {point}"))

    @property
    def ahead(self) -> list[str]:
        """The points that weren't come to yet."""
        return [told for rule, told in self._points if not rule.is_over]

    @contextmanager
    def operator(self) -> Iterator[Fork]:
        """One more operator, killed at the end of the block where it isn't yet."""
        self.lives += 1
        running = self._running = self._forks.start(IMAGE, self._namespaces, self._kubeconfig)
        try:
            yield running
        finally:
            running.kill()
            assert running.wait(10), "a killed operator doesn't end"

    def run(self, patience: float) -> None:
        """Start operators until each point has killed one, or one lives for so many seconds."""
        while self.ahead:
            with self.operator() as operator:
                if not operator.wait(patience):
                    return

    def _kill(self) -> None:
        if self._running is not None:
            self._running.kill()
