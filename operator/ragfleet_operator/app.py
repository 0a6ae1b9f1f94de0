"""The operator as a program: its parts, in one event loop, until a signal ends it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from ragfleet_operator.access import Access
from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.compose import make_engine
from ragfleet_operator.engine.connect import load
from ragfleet_operator.engine.errors import ConnectError
from ragfleet_operator.engine.fence import fence
from ragfleet_operator.errors import OperatorError
from ragfleet_operator.leadership import Election, leadership
from ragfleet_operator.logs import configure_logs
from ragfleet_operator.metrics import Metrics
from ragfleet_operator.model import Settings
from ragfleet_operator.program import Program
from ragfleet_operator.server import serve
from ragfleet_operator.settings import Timing

_log = structlog.get_logger("ragfleet.operator")

_POD_NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True, slots=True)
class Options:
    """How the operator is started. namespaces: those it looks after, none for the whole cluster.

    image: the service's, where a pipeline names none. kubeconfig: None for the pod's account, else that of
    $KUBECONFIG. health_port: of probes and metrics; 0 takes a free one. election: between several of them.
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
    election: Election = field(default_factory=Election)


def run(options: Options) -> int:
    """Run until SIGTERM or SIGINT: 0; 1 where a part of the program ended by itself, or another leads now.

    Raises OperatorError.
    """
    configure_logs(options.log_level, as_json=options.json_logs)
    # Not uvloop: where a connection is given up while it is made, it may close another one's descriptor later
    # (uvloop 0.23 under aiohttp 3.14, seen under faults; MagicStack/uvloop#653).
    return asyncio.run(_operate(options))


async def _operate(options: Options) -> int:
    namespace = _own_namespace()
    election = options.election.resolved(namespace)
    async with AsyncExitStack() as stack:
        try:
            configuration = await load(options.kubeconfig)
        except ConnectError as error:
            raise OperatorError(str(error)) from None
        access = Access(configuration)
        settled = asyncio.Event()
        leading = await stack.enter_async_context(leadership(election, access, settled.is_set))
        fence(configuration, leading.leads)
        cluster = KubernetesCluster(configuration)
        stack.push_async_callback(cluster.close)
        metrics = Metrics()
        cluster.observer = metrics
        settings = Settings(options.image, options.cluster, namespace)
        engine = make_engine(
            cluster, settings, may_write=leading.leads, observer=metrics, workers=options.workers
        )
        program = Program(
            engine,
            access,
            leading,
            namespaces=options.namespaces,
            timing=options.timing,
            settled=settled,
            forget_kinds=cluster.forget_kinds,
        )
        program.measure_with(metrics)
        address = await stack.enter_async_context(
            serve(
                options.health_host,
                options.health_port,
                sick=program.sick,
                unready=program.unready,
                limits=program.notes,
                metrics=metrics.text,
            )
        )
        _log.info(
            "the operator has started",
            namespaces=list(options.namespaces) or "all",
            probes=address,
            leader_election=f"{election.namespace}/{election.name}" if election.enabled else "off",
        )
        return await program.run()


def _own_namespace() -> str:
    try:
        return _POD_NAMESPACE.read_text().strip()
    except OSError:
        return ""
