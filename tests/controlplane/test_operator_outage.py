"""What happens while the operator, or the API server, is away isn't missed."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import OperatorProcess, operator_process


@pytest.fixture(scope="module")
def operator(control_plane: ControlPlane) -> Iterator[OperatorProcess]:
    with operator_process(control_plane) as process:
        yield process


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str, operator: OperatorProcess) -> Place:
    return Place(control_plane, namespace)


def test_what_vanished_while_the_watches_were_down_is_healed_or_forgotten(
    place: Place, operator: OperatorProcess
) -> None:
    place.apply(pipeline(), pipeline("gone"))
    place.wait_ready()
    place.wait_ready("gone")
    operator.process.send_signal(signal.SIGSTOP)
    try:
        place.control_plane.restart_api_server()  # the watches break, so that nothing waits in a connection
        place.kubectl("delete", "service/handbook", "networkpolicy/handbook")
        place.kubectl("delete", "ragp/gone")
        place.control_plane.compact()
        place.control_plane.restart_api_server()
    finally:
        operator.process.send_signal(signal.SIGCONT)
    for child in ("service/handbook", "networkpolicy/handbook"):
        place.wait_until(partial(place.get, child), f"{child} to come back", 30)
    forgotten = f'name="gone",namespace="{place.namespace}"'
    place.wait_until(lambda: forgotten not in operator.get("/metrics").text, "it to be forgotten")
    operator.wait_ready()


def test_an_api_server_that_is_away_ends_nothing(place: Place, operator: OperatorProcess) -> None:
    place.apply(pipeline())
    place.wait_ready()
    place.control_plane.stop_api_server()
    try:
        time.sleep(5)
        assert operator.process.poll() is None
        # (That the process was held up in another test is still said of its loop.)
        assert "watch" not in operator.get("/healthz").text
    finally:
        place.control_plane.start_api_server()
    operator.wait_ready(60)
    place.kubectl("scale", "ragp/handbook", "--replicas=3")
    place.wait_until(
        lambda: (place.get("deployment/handbook") or {})["spec"]["replicas"] == 3, "the edit to be seen", 30
    )
    assert operator.tracebacks == []


def test_a_pipeline_deleted_while_the_operator_is_away_leaves_nothing(
    control_plane: ControlPlane, namespace: str
) -> None:
    place = Place(control_plane, namespace)
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        place.apply(pipeline())
        place.wait_ready()
        operator.kill()
    place.kubectl("delete", "ragp/handbook", "--timeout=10s")
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        place.wait_until(lambda: place.get("deployment/handbook") is None, "its children to go")
        assert "handbook" not in operator.get("/metrics").text


def test_the_probes_answer_on_the_loopback_alone(operator: OperatorProcess) -> None:
    assert operator.url.startswith("http://127.0.0.1:")
    assert operator.get("/nowhere").status_code == 404
    assert httpx.get(operator.url + "/healthz", trust_env=False).text == "ok\n"
