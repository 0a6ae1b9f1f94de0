"""What happens while watches fail, or the API server can't be reached, is made good afterwards."""

from __future__ import annotations

import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from ragfleet_operator.kinds import OPTIONAL
from ragfleet_operator.model import Settings
from ragfleet_operator.sources import all_sources
from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.fault_proxy import FaultProxy, fault_proxy
from support.fault_proxy_calls import Call, calls
from support.fault_proxy_rules import Answer, Expire, Fault, Stall
from support.fault_proxy_verdict import divergences, is_told_ready, rendered
from support.operator_process import IMAGE, OperatorProcess, operator_process

FAULTY_SECONDS: Final = 2.5
# Opened again within a few seconds, by kopf and by what looks after it.
BACK_SECONDS: Final = 40.0
# An operator that takes a watch for dead after four seconds without an event. (A bookmark comes each minute.)
IMPATIENT: Final = """
import sys
from pathlib import Path
from ragfleet_operator.app import Options, run
from ragfleet_operator.settings import Timing
image, config, *namespaces = sys.argv[1:]
timing = Timing(silence=4.0)
sys.exit(run(Options(image, tuple(namespaces), kubeconfig=Path(config), health_port=0, timing=timing)))
"""
REFUSALS: Final[Sequence[tuple[str, Fault]]] = (
    ("watch", Expire()),
    ("watch", Answer(410)),
    ("watch", Answer(500)),
    ("list", Answer(410)),
    ("list", Answer(429, retry_after=1)),
)
# There are 16 watches, each opened again after a second or more.
MOST_A_SECOND: Final = 40


@pytest.fixture(scope="module")
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane, seed=7) as running:
        yield running


@pytest.fixture(scope="module")
def config(control_plane: ControlPlane, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return proxy.kubeconfig(Path(tmp_path_factory.mktemp("faults"), "config"), control_plane.token)


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane, config: Path) -> Iterator[OperatorProcess]:
    with operator_process(control_plane, kubeconfig=config) as running:
        yield running


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str) -> Place:
    return Place(control_plane, namespace)


@pytest.mark.timeout(240)
def test_what_happens_while_watches_and_lists_are_refused_is_made_good(
    place: Place, proxy: FaultProxy, operator: OperatorProcess
) -> None:
    _prepare(place, operator)
    for turn, (verb, fault) in enumerate(REFUSALS, 1):
        begun = time.monotonic()
        rule = proxy.add(fault, calls(verbs={verb}))
        # Where a watch goes on from where it was, nothing is listed.
        expired = proxy.add(Expire(), calls(verbs={"watch"} if verb == "list" else {"none"}))
        try:
            proxy.cut()
            _change(place, turn)
            time.sleep(FAULTY_SECONDS)
        finally:
            proxy.rules.remove(rule)
            proxy.rules.remove(expired)
        assert rule.met, (verb, fault)
        assert rule.met < MOST_A_SECOND * (time.monotonic() - begun), (verb, fault)
        _wait_until_converged(place, turn)
    assert operator.tracebacks == []


@pytest.mark.parametrize("hangs", [False, True], ids=["refused", "hanging"])
def test_a_partition_of_five_seconds_is_made_good(
    place: Place, proxy: FaultProxy, operator: OperatorProcess, hangs: bool
) -> None:
    _prepare(place, operator)
    with proxy.partition(hangs=hangs):
        _change(place, 1)
        time.sleep(5)
        assert operator.process.poll() is None
    _wait_until_converged(place, 1)
    assert operator.tracebacks == []


def test_a_server_that_was_restarted_and_forgot_its_past_is_watched_anew(
    place: Place, proxy: FaultProxy, operator: OperatorProcess
) -> None:
    _prepare(place, operator)
    with proxy.partition():
        _change(place, 1)
        place.control_plane.compact()
        place.control_plane.restart_api_server()
    _wait_until_converged(place, 1)
    assert operator.tracebacks == []


def test_a_watch_that_falls_silent_or_never_tells_anything_is_opened_again(
    place: Place, proxy: FaultProxy, config: Path
) -> None:
    with _impatient(place, config) as operator:
        _prepare(place, operator)

        def of_ours(call: Call) -> bool:
            return call.namespace == place.namespace and call.verb == "watch"

        rule = proxy.add(Stall(), of_ours)
        try:
            assert proxy.silence(of_ours)
            _change(place, 1)
            time.sleep(6)
        finally:
            proxy.rules.remove(rule)
        assert rule.met
        _wait_until_converged(place, 1)
        assert operator.tracebacks == []


def test_at_a_start_each_watch_has_one_list_and_one_probe(
    place: Place, proxy: FaultProxy, config: Path
) -> None:
    start = len(proxy.log)
    with operator_process(place.control_plane, namespaces=[place.namespace], kubeconfig=config) as operator:
        time.sleep(1)
        listed = Counter(
            done.call.path
            for done in list(proxy.log)[start:]
            if done.call.verb == "list" and done.call.namespace == place.namespace and done.code == 200
        )
        assert operator.tracebacks == []
    # Secrets and ConfigMaps have two watches each, with different selectors.
    watched = Counter(source.path for source in all_sources([place.namespace]) if source.kind not in OPTIONAL)
    assert listed == {path: 2 * watches for path, watches in watched.items()}


def _prepare(place: Place, operator: OperatorProcess) -> None:
    operator.wait_ready(BACK_SECONDS)
    place.apply(pipeline("edited"), pipeline("harmed"), pipeline("made-0"))
    place.wait_until(lambda: all(is_told_ready(item) for item in place.list("ragp")), "all to be ready")


def _change(place: Place, turn: int) -> None:
    """What people do: make, edit and delete pipelines, and harm children."""
    edited = pipeline("edited", retrieval={"mode": "Sparse", "topK": turn})
    place.apply(edited, pipeline(f"made-{turn}"))
    harmed = ("service/harmed", "deployment/harmed")
    place.kubectl("delete", f"ragp/made-{turn - 1}", *harmed, "--wait=false")


def _wait_until_converged(place: Place, turn: int) -> None:
    deadline = time.monotonic() + BACK_SECONDS
    while told := _wrong(place, turn):
        assert time.monotonic() < deadline, told
        time.sleep(0.5)


def _wrong(place: Place, turn: int) -> object:
    pipelines = place.list("ragp")
    if unready := [item["metadata"]["name"] for item in pipelines if not is_told_ready(item)]:
        return unready
    assert {item["metadata"]["name"] for item in pipelines} == {"edited", "harmed", f"made-{turn}"}
    with place.control_plane.client() as client:
        return divergences(client, place.namespace, rendered(Settings(IMAGE)))


@contextmanager
def _impatient(place: Place, config: Path) -> Iterator[OperatorProcess]:
    log = config.with_name("impatient.log")
    with ExitStack() as stack:
        output = stack.enter_context(log.open("wb"))
        process = subprocess.Popen(
            [sys.executable, "-c", IMPATIENT, IMAGE, str(config), place.namespace],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        running = OperatorProcess(process, log)
        stack.callback(running.kill)
        running.wait_ready()
        yield running
