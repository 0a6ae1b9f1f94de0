"""The operator as a program: its parts, in one event loop, until a signal ends it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import uvloop

from ragfleet_operator.access import Access
from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.compose import Engine, make_engine
from ragfleet_operator.engine.connect import load
from ragfleet_operator.engine.errors import ConnectError
from ragfleet_operator.errors import OperatorError
from ragfleet_operator.health import LoopLag, limits, sick, unready
from ragfleet_operator.kinds import OPTIONAL, PIPELINE, Kind
from ragfleet_operator.logs import configure_logs
from ragfleet_operator.metrics import Metrics, StateCollector
from ragfleet_operator.model import Key, Object, Settings
from ragfleet_operator.server import serve
from ragfleet_operator.settings import Timing
from ragfleet_operator.sources import Phase, WatchState, all_sources, unsettled
from ragfleet_operator.watch import Sinks, watches_of

_log = structlog.get_logger("ragfleet.operator")

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@dataclass(frozen=True, slots=True)
class Options:
    """How the operator is started. namespaces: those it looks after, none for the whole cluster.

    image: the service's, where a pipeline names none. kubeconfig: None for the pod's account, else that of
    $KUBECONFIG. health_port: of probes and metrics; 0 takes a free one.
    """

    image: str
    namespaces: tuple[str, ...] = ()
    cluster: str = "default"
    kubeconfig: Path | None = None
    workers: int = 16
    health_host: str = "127.0.0.1"
    health_port: int = 8080
    log_level: str = "info"
    json_logs: bool = True
    timing: Timing = field(default_factory=Timing)


def run(options: Options) -> int:
    """Run until SIGTERM or SIGINT: 0; 1 where a part of the program ended by itself. Raises OperatorError."""
    configure_logs(options.log_level, as_json=options.json_logs)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_operate(options))


async def _operate(options: Options) -> int:
    async with AsyncExitStack() as stack:
        try:
            configuration = await load(options.kubeconfig)
        except ConnectError as error:
            raise OperatorError(str(error)) from None
        cluster = KubernetesCluster(configuration)
        stack.push_async_callback(cluster.close)
        metrics = Metrics()
        cluster.observer = metrics
        settings = Settings(options.image, options.cluster, _own_namespace())
        engine = make_engine(cluster, settings, observer=metrics, workers=options.workers)
        program = _Program(engine, options, Access(configuration), cluster.forget_kinds)
        program.measure_with(metrics)
        address = await stack.enter_async_context(
            serve(
                options.health_host,
                options.health_port,
                sick=program.sick,
                unready=program.unready,
                limits=program.limits,
                metrics=metrics.text,
            )
        )
        _log.info("the operator has started", namespaces=list(options.namespaces) or "all", probes=address)
        return await program.run()


class _Program:
    """The parts that run side by side. forget_kinds: has the client look for kinds anew."""

    def __init__(
        self, engine: Engine, options: Options, access: Access, forget_kinds: Callable[[], None]
    ) -> None:
        self._engine = engine
        self._forget_kinds = forget_kinds
        self._lag = LoopLag()
        self._working = False
        self._is_lost = False
        self._stopping = asyncio.Event()
        self._states = [WatchState(source, options.timing.dead) for source in all_sources(options.namespaces)]
        self._settled = asyncio.Event()
        sinks = Sinks(engine.see, engine.relist, self._found, self._phase_changed, self._take_signals)
        self._watches = watches_of(self._states, access, sinks, options.timing)

    def measure_with(self, metrics: Metrics) -> None:
        """Add what is read when metrics are asked for."""
        metrics.registry.register(
            StateCollector(
                self._states,
                depth=lambda: self._engine.queue.depth,
                lag=lambda: self._lag.seconds,
                pipelines=self._pipelines,
            )
        )

    def sick(self) -> list[str]:
        """See health.sick."""
        return sick(self._states, self._engine.queue.longest, self._lag.seconds)

    def unready(self) -> list[str]:
        """See health.unready."""
        return unready(self._states, working=self._working)

    def limits(self) -> list[str]:
        """See health.limits."""
        return limits(self._states)

    async def run(self) -> int:
        """Until a signal, or until a part ends: 0 or 1."""
        self._take_signals()
        watching = {asyncio.create_task(watch.run(), name="a watch") for watch in self._watches}
        watching.add(asyncio.create_task(self._lag.run(), name="the measurement of the loop"))
        working = asyncio.create_task(self._work(), name="the engine")
        stopped = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({stopped, working, *watching}, return_when=asyncio.FIRST_COMPLETED)
        ended = [task for task in (working, *watching) if task.done()]
        for task in ended:
            _log.error("the operator ends: a part of it has", part=task.get_name(), error=_reason(task))
        await self._end(watching, working, stopped)
        _log.info("the operator has ended")
        return 1 if ended else 0

    async def _end(
        self, watching: set[asyncio.Task[None]], working: asyncio.Task[None], stopped: asyncio.Task[bool]
    ) -> None:
        for task in (stopped, *watching):
            task.cancel()
        self._engine.close()
        if not self._working:
            working.cancel()
        await asyncio.gather(stopped, working, *watching, return_exceptions=True)

    async def _work(self) -> None:
        """Reconcile, once the cache holds what there is: without it, all would be made again."""
        await self._settled.wait()
        self._working = True
        _log.info("pipelines are reconciled from now on")
        await self._engine.run()

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
        for key in self._engine.cache.pipelines():
            self._engine.queue.add(key)

    def _pipelines(self) -> Iterator[tuple[Key, Object]]:
        for key in self._engine.cache.pipelines():
            pipeline = self._engine.cache.pipeline(key)
            if pipeline is not None:
                yield key, pipeline


def _reason(task: asyncio.Task[None]) -> str:
    error = None if task.cancelled() else task.exception()
    if isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}" if error else "it returned"


def _own_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text().strip()
    except OSError:
        return ""
