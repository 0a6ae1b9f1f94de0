"""``ragfleet serve``, as a pod runs it: its two ports, spoken to over HTTP."""

from __future__ import annotations

import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.configs import make_config
from support.mounted_secret import mount
from support.pod import KEYS, TOKEN, RunningPod, pod_folder, running_pod, until
from support.service import running_service

PATHS = ("/status", "/metrics", "/ready", "/nowhere")


@pytest.fixture(scope="module")
def pod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningPod]:
    folder = pod_folder(tmp_path_factory.mktemp("pod"), make_config("admin-test", auth={}))
    with running_pod(folder) as running:
        running.wait_until_ready()
        yield running


def ingest(pod: RunningPod, *texts: str) -> None:
    documents = [{"id": f"d{n}", "text": text} for n, text in enumerate(texts)]
    assert pod.post("/ingest", {"documents": documents}, "ingest").json()["failed"] == 0


def test_status_tells_what_is_indexed(pod: RunningPod) -> None:
    ingest(pod, "The weir is open.", "The lock is shut.")
    until(lambda: bool(pod.status()["documents"] == 2), 5)
    assert pod.status() == {
        "collection": make_config("admin-test", auth={}).store.collection,
        "engine": "Embedded",
        "documents": 2,
        "chunks": 2,
        "staleDocuments": 0,
        "store": {"reachable": True, "message": ""},
        "ready": True,
        "version": version("ragfleet"),
    }
    assert pod.ask("/status").headers["Content-Type"] == "application/json"


@pytest.mark.parametrize("path", PATHS)
def test_without_its_token_the_admin_port_tells_nothing(path: str, pod: RunningPod) -> None:
    wrong: list[dict[str, str]] = [
        {},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Bearer {KEYS['default.admin']}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": "Bearer"},
        {"X-API-Key": TOKEN},
    ]
    for headers in wrong:
        refused = httpx.get(pod.admin + path, headers=headers, timeout=30)
        problem = refused.json()
        assert refused.status_code == problem["status"] == 401
        assert problem["type"] == "https://ragfleet.dev/problems/unauthorized"
        assert refused.headers["Content-Type"] == "application/problem+json"
        assert refused.headers["WWW-Authenticate"] == "Bearer"
        assert problem["request_id"] == refused.headers["X-Request-Id"]
        assert TOKEN not in refused.text


def test_the_admin_port_answers_gets_of_its_routes_alone(pod: RunningPod) -> None:
    assert pod.ask("/live", None).json() == {"status": "ok"}
    assert pod.ask("/ready").json() == {"status": "ok"}
    assert pod.ask("/nowhere").status_code == 404
    assert pod.ask("/documents").status_code == 404
    headers = {"Authorization": f"Bearer {TOKEN}"}
    posted = httpx.post(f"{pod.admin}/status", json={"a": "b"}, headers=headers, timeout=30)
    assert (posted.status_code, posted.headers["Allow"]) == (405, "GET")


def test_metrics_are_on_the_admin_port_alone(pod: RunningPod) -> None:
    assert pod.post("/search", {"query": "weir"}, "query").status_code == 200
    metrics = pod.ask("/metrics")
    assert metrics.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    assert 'ragfleet_http_requests_total{method="POST",route="/search",status="200"}' in metrics.text
    assert "ragfleet_documents 2.0" in metrics.text
    for role in ("query", "ingest", "admin"):
        headers = {"Authorization": f"Bearer {KEYS[f'default.{role}']}"}
        refused = httpx.get(f"{pod.url}/metrics", headers=headers, timeout=30)
        assert (refused.status_code, refused.json()["detail"]) == (404, "no route /metrics")
    assert httpx.get(f"{pod.url}/metrics", timeout=30).status_code == 401
    described = httpx.get(f"{pod.url}/openapi.json", timeout=30).json()["paths"]
    assert "/search" in described
    assert not {"/metrics", "/status"} & described.keys()
    assert httpx.get(f"{pod.url}/status", headers={"X-API-Key": TOKEN}, timeout=30).status_code == 401


def test_a_public_port_without_keys_has_no_metrics_either(tmp_path: Path) -> None:
    with running_pod(pod_folder(tmp_path, make_config())) as pod:
        pod.wait_until_ready()
        assert httpx.get(f"{pod.url}/metrics", timeout=30).status_code == 404
        assert pod.ask("/metrics", None).status_code == 401
        assert pod.ask("/metrics").status_code == 200


def test_a_token_counts_from_when_it_is_mounted_and_as_it_is_now(tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, make_config())
    secret = folder.secrets / "handbook-admin"
    mount(secret, {})
    with running_pod(folder) as pod:
        pod.wait_until_ready()  # a missing token keeps nobody from being served
        assert [pod.ask(path).status_code for path in (*PATHS, "/live")] == [401] * 4 + [200]
        mount(secret, {"token": TOKEN})
        until(lambda: pod.ask("/status").status_code == 200)
        other = "another-token-0123456789"
        mount(secret, {"token": other})
        until(lambda: pod.ask("/status", other).status_code == 200)
        assert pod.ask("/status").status_code == 401
        time.sleep(2.5)  # a time after which it would be said again
        told = [event for event in pod.events() if "has no token" in event["event"]]
        assert len(told) == 1
        assert "the Secret handbook-admin has no entry token" in told[0]["reason"]
        assert TOKEN not in pod.log.read_text()
        assert other not in pod.log.read_text()


def test_the_log_is_json_and_tells_both_ports_and_polls_are_not_in_it(pod: RunningPod) -> None:
    for _ in range(3):
        pod.status()
        assert httpx.get(f"{pod.url}/ready", timeout=30).status_code == 200
    events: list[dict[str, Any]] = pod.events()
    assert events[0]["event"] == "listening"
    assert (events[0]["address"], events[0]["admin_address"]) == (pod.url, pod.admin)
    assert [event["address"] for event in events if event["event"] == "ready"] == [pod.url]
    routes = {event["route"] for event in events if event["event"] == "request" and event["status"] == 200}
    assert not routes & {"/status", "/ready", "/live", "/metrics"}
    assert not any(secret in pod.log.read_text() for secret in (TOKEN, *KEYS.values()))


def test_it_starts_in_the_time_that_up_takes(tmp_path: Path) -> None:
    """The best of two, in turn, with room for a machine that does other things as well."""
    folder = pod_folder(tmp_path / "pod", make_config())
    serve_seconds, up_seconds = [], []
    for _ in range(2):
        started = time.perf_counter()
        with running_pod(folder) as pod:
            while not any(event["event"] == "ready" for event in pod.events()):
                time.sleep(0.005)
            serve_seconds.append(time.perf_counter() - started)
        started = time.perf_counter()
        with running_service(tmp_path / "up"):
            up_seconds.append(time.perf_counter() - started)
    assert min(serve_seconds) < 1.2 * min(up_seconds) + 0.1
