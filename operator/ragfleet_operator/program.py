"""The parts of the operator, side by side until a signal, or until one of them ends."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator, Sequence, Set

import structlog

from ragfleet_operator.access import Access
from ragfleet_operator.engine.compose import Engine
from ragfleet_operator.engine.elector import LeadershipLostError
from ragfleet_operator.engine.errors import ApiError, Forbidden, NotFound
from ragfleet_operator.health import LoopLag, limits, sick, unready
from ragfleet_operator.kinds import OPTIONAL, PIPELINE, Kind
from ragfleet_operator.leadership import Leadership
from ragfleet_operator.metrics import Metrics, StateCollector
from ragfleet_operator.model import Key, Object
from ragfleet_operator.settings import Timing
from ragfleet_operator.sources import Phase, Source, WatchState, all_sources, unsettled
from ragfleet_operator.watch import Sinks, watches_of

_log = structlog.get_logger("ragfleet.operator")

_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_RETRY_SECONDS = 0.5


class Program:
    """The parts that run side by side. namespaces: those it looks after, none for the whole cluster.

    settled: is set once the cache holds what there is. forget_kinds: has the client look for kinds anew.
    """

    def __init__(
        self,
        engine: Engine,
        access: Access,
        leading: Leadership,
        *,
        namespaces: Sequence[str],
        timing: Timing,
        settled: asyncio.Event,
        forget_kinds: Callable[[], None],
    ) -> None:
        self._engine = engine
        self._leadership = leading
        self._settled = settled
        self._forget_kinds = forget_kinds
        self._lag = LoopLag()
        self._working = False
        self._is_lost = False
        self._stopping = asyncio.Event()
        self._states = [WatchState(source, timing.dead) for source in all_sources(namespaces)]
        sinks = Sinks(self._see, self._listed, self._found, self._phase_changed, self._take_signals)
        self._watches = watches_of(self._states, access, sinks, timing)

    def measure_with(self, metrics: Metrics) -> None:
        """Add what is read when metrics are asked for."""
        metrics.registry.register(
            StateCollector(
                self._states,
                depth=lambda: self._engine.queue.depth if self._working else 0,
                lag=lambda: self._lag.seconds,
                pipelines=self._pipelines,
                leading=self._leadership.leads,
                tasks=lambda: len(asyncio.all_tasks()),
            )
        )

    def sick(self) -> list[str]:
        """See health.sick."""
        return sick(self._states, self._engine.queue.longest, self._lag.seconds)

    def unready(self) -> list[str]:
        """See health.unready."""
        return unready(self._states, settled=self._settled.is_set())

    def notes(self) -> list[str]:
        """What a ready program doesn't do for now."""
        return [*self._leadership.notes(), *limits(self._states)]

    async def run(self) -> int:
        """Until a signal, or until a part ends: 0 or 1."""
        self._take_signals()
        watching = {asyncio.create_task(watch.run(), name="a watch") for watch in self._watches}
        watching.add(asyncio.create_task(self._lag.run(), name="the measurement of the loop"))
        leading = asyncio.create_task(self._leadership.run(), name="the election")
        working = asyncio.create_task(self._work(), name="the engine")
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopped, leading, working, *watching}, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in (leading, working, *watching) if task.done()]
        _tell(ended)
        for task in (stopped, *watching):
            task.cancel()
        is_lost = await self._end(leading, working)
        if is_lost and leading not in ended:
            _tell([leading])
        await asyncio.gather(stopped, *watching, return_exceptions=True)
        _log.info("the operator has ended")
        return 1 if ended or is_lost else 0

    async def _end(self, leading: asyncio.Task[None], working: asyncio.Task[None]) -> bool:
        """Let running passes finish while this operator leads, then let another; whether one does already."""
        self._engine.close()
        if not self._working:
            working.cancel()
        await asyncio.wait({leading, working}, return_when=asyncio.FIRST_COMPLETED)
        if leading.done():
            working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        self._leadership.end()
        (end,) = await asyncio.gather(leading, return_exceptions=True)
        is_lost = isinstance(end, BaseException)
        if not is_lost:
            await self._leadership.release()
        return is_lost

    async def _work(self) -> None:
        """Reconcile, once the cache holds what there is: without it, all would be made again."""
        await self._settled.wait()
        if not self._leadership.gained.is_set():
            await self._leadership.gained.wait()
            await self._renew_pipelines()
        for key in self._engine.cache.pipelines():
            self._engine.queue.forget(key)  # its wait begins now, not when this operator began to stand by
        self._working = True
        self._queue_all()
        _log.info("pipelines are reconciled from now on")
        await self._engine.run()

    async def _renew_pipelines(self) -> None:
        """Read the pipelines: by an older spec than the last leader knew, what it did would be undone."""
        pipelines = [state for state in self._states if state.source.kind is PIPELINE and state.synced]
        while pipelines:
            try:
                await self._engine.relist(PIPELINE, pipelines[-1].source.namespaces)
            except (Forbidden, NotFound) as error:
                _log.debug("can't be read any more", watch=str(pipelines[-1].source), reason=str(error))
            except ApiError:
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            pipelines.pop()

    def _see(self, kind: Kind, type_: str | None, obj: Object) -> None:
        """Take a watch event. Nothing is queued while there are no passes: what has gone would stay there."""
        if self._working:
            self._engine.see(kind, type_, obj)
        else:
            self._engine.remember(kind, type_, obj)

    def _listed(self, source: Source, names: Set[tuple[str, str]], version: str) -> None:
        """Take the end of a list, as _see() takes events."""
        gone = self._engine.keep_only(source.kind, source.namespace, source.selector, names, version)
        if self._working:
            for key in gone:
                self._engine.queue.add(key)

    def _take_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in _SIGNALS:
            loop.add_signal_handler(number, self._signalled, number)

    def _signalled(self, number: int) -> None:
        if self._stopping.is_set():
            os._exit(128 + number)
        _log.info("ending: the running passes are finished", signal=signal.Signals(number).name)
        self._stopping.set()

    def _phase_changed(self) -> None:
        lost = [state for state in self._states if state.phase is Phase.LOST]
        if lost and not self._is_lost:
            # One line, though all watches end together where a server does.
            _log.warning("a watch was lost", watch=str(lost[0].source), reason=lost[0].message)
        elif self._is_lost and not lost:
            _log.info("watching all again")
        self._is_lost = bool(lost)
        if not unsettled(state for state in self._states if state.source.kind is not PIPELINE):
            self._settled.set()

    def _found(self, kind: Kind) -> None:
        if kind in OPTIONAL:
            self._forget_kinds()
        if self._working:
            self._queue_all()

    def _queue_all(self) -> None:
        for key in self._engine.cache.pipelines():
            self._engine.queue.add(key)

    def _pipelines(self) -> Iterator[tuple[Key, Object]]:
        for key in self._engine.cache.pipelines():
            pipeline = self._engine.cache.pipeline(key)
            if pipeline is not None:
                yield key, pipeline


def _tell(ended: Sequence[asyncio.Task[None]]) -> None:
    """Say of parts of the program that they have ended by themselves."""
    for task in ended:
        error = None if task.cancelled() else task.exception()
        if isinstance(error, LeadershipLostError):
            _log.error("the operator leads no more and ends; started anew, it stands by", reason=str(error))
        else:
            _log.error("the operator ends: a part of it has", part=task.get_name(), error=_reason(error))


def _reason(error: BaseException | None) -> str:
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if error else "it returned"
