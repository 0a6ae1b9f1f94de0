"""How a pod's service ends: what is under way is finished, and the admin port answers until then."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from itertools import pairwise
from pathlib import Path

import httpx
import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from support.configs import make_config
from support.llm_server import LLMServer, Script, llm_server
from support.mounted_secret import mount
from support.pod import KEYS, PodFolder, RunningPod, pod_folder, running_pod, until

pytestmark = pytest.mark.anyio
HEADERS = {"Authorization": f"Bearer {KEYS['default.admin']}"}
ASKED = {"query": "Where are keys issued?"}


def config_of(server: LLMServer, deadline_seconds: int) -> RuntimeConfig:
    model = {"type": "OpenAI", "openAI": {"baseURL": f"{server.url}/v1", "model": "first"}}
    return make_config(generation=model, auth={}, requests={"deadlineSeconds": deadline_seconds})


async def test_a_stream_is_finished_after_sigterm_and_the_admin_port_says_that_it_drains(
    tmp_path: Path,
) -> None:
    async with llm_server() as server:
        server.script("first", Script(pieces=(*[" word"] * 9, " end. [1]"), between=0.3))
        folder = pod_folder(tmp_path, config_of(server, 30))
        await asyncio.to_thread(finish_a_stream, folder)


def finish_a_stream(folder: PodFolder) -> None:
    with running_pod(folder) as pod:
        give_a_document(pod)
        events: list[str] = []
        with httpx.stream(
            "POST", f"{pod.url}/query/stream", json=ASKED, headers=HEADERS, timeout=30
        ) as reply:
            assert reply.status_code == 200
            for line in reply.iter_lines():
                events.append(line)
                if line == "event: content" and events.count(line) == 2:
                    pod.process.send_signal(signal.SIGTERM)
                    until(lambda: pod.ask("/ready").status_code == 503, 1)
                    assert pod.ask("/ready").json()["detail"] == "draining"
                    status = pod.status()
                    assert (status["ready"], status["store"]["reachable"]) == (False, True)
                    until(lambda: is_closed(pod), 1)  # to new connections
                    assert pod.ask("/live", None).status_code == 200
        assert "event: done" in events
        assert "event: error" not in events
        text = "".join(
            json.loads(line.removeprefix("data: "))["content"]
            for before, line in pairwise(events)
            if before == "event: content"
        )
        assert text.count("word") == 9
        assert text.endswith("end. [1]")
        ended = time.monotonic()
        assert pod.process.wait(30) == 0
        assert time.monotonic() - ended < 3
        with pytest.raises(httpx.TransportError):
            pod.ask("/live", None)


async def test_a_stream_that_would_not_end_is_told_its_deadline_and_then_the_process_ends(
    tmp_path: Path,
) -> None:
    async with llm_server() as server:
        server.script("first", Script(pieces=(" word",), between=0.2, endless=True))
        folder = pod_folder(tmp_path, config_of(server, 4))
        await asyncio.to_thread(cut_a_stream, folder)


def cut_a_stream(folder: PodFolder) -> None:
    with running_pod(folder) as pod:
        give_a_document(pod)
        events: list[str] = []
        with httpx.stream(
            "POST", f"{pod.url}/query/stream", json=ASKED, headers=HEADERS, timeout=30
        ) as reply:
            for line in reply.iter_lines():
                events.append(line)
                if events.count("event: content") == 1 and line == "event: content":
                    pod.process.send_signal(signal.SIGTERM)
                    stopped = time.monotonic()
        assert events.count("event: error") == 1
        assert "deadline-exceeded" in events[events.index("event: error") + 1]
        assert pod.process.wait(30) == 0
        assert time.monotonic() - stopped < 4 + 2 + 3


@pytest.mark.parametrize("is_open", [True, False])
def test_an_idle_service_ends_at_once_open_or_not(is_open: bool, tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, make_config(auth={}))
    if not is_open:
        mount(folder.secrets / "handbook-api-keys", {})
    with running_pod(folder) as pod:
        if is_open:
            pod.wait_until_ready()
        else:
            until(lambda: "no API key" in pod.status()["store"]["message"])
        with httpx.Client() as kept:  # connections that are kept open don't hold it up
            assert kept.get(f"{pod.url}/live").status_code == 200
            assert kept.get(f"{pod.admin}/live").status_code == 200
            started = time.monotonic()
            assert pod.stop() == 0
            assert time.monotonic() - started < 3


def give_a_document(pod: RunningPod) -> None:
    pod.wait_until_ready()
    document = {"id": "a", "text": "Keys are issued at the service desk."}
    assert pod.post("/ingest", {"documents": [document]}).json()["indexed"] == 1


def is_closed(pod: RunningPod) -> bool:
    try:
        httpx.get(f"{pod.url}/live", timeout=5)
    except httpx.TransportError:
        return True
    return False
