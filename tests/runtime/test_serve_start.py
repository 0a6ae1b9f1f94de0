"""``ragfleet serve`` where something that it needs isn't there, isn't right, or comes later."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_api.spec import RAGPipelineSpec
from support.configs import MINIMAL, make_config
from support.embedding_server import embedding_server
from support.mounted_secret import mount
from support.pod import KEYS, TOKEN, PodFolder, RunningPod, pod_folder, running_pod, until
from support.qdrant_server import running_qdrant


def owned_by(uid: str, **sections: Any) -> RuntimeConfig:
    spec = RAGPipelineSpec.model_validate({**MINIMAL, **sections})
    return project(spec, Owner(cluster="c1", namespace="team-a", name="handbook", uid=uid))


def assert_not_ready(pod: RunningPod, message: str, *, reachable: bool | None) -> None:
    until(lambda: message in pod.status()["store"]["message"], 20)
    status = pod.status()
    assert status["ready"] is False
    assert status["store"]["reachable"] is reachable
    assert status["documents"] is None
    ready = httpx.get(f"{pod.url}/ready", timeout=30)
    assert ready.status_code == 503
    assert message not in ready.text  # whoever has no key isn't told
    assert httpx.get(f"{pod.url}/live", timeout=30).status_code == 200
    told = [event for event in pod.events() if event["event"].startswith("not ready")]
    assert len(told) == 1
    assert message in told[0]["reason"]
    assert "ragfleet_documents NaN" in pod.ask("/metrics").text


def test_missing_keys_are_waited_for_and_none_are_made(tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, make_config(auth={}))
    mount(folder.secrets / "handbook-api-keys", {})
    with running_pod(folder) as pod:
        assert_not_ready(pod, "the Secret handbook-api-keys holds no API key", reachable=None)
        assert not list(folder.data.glob("*keys*"))
        mount(folder.secrets / "handbook-api-keys", KEYS)
        pod.wait_until_ready()
        assert pod.post("/search", {"query": "weir"}, "query").status_code == 200
        assert pod.stop() == 0


def test_every_missing_entry_is_named_at_once(tmp_path: Path) -> None:
    generation = {
        "type": "OpenAI",
        "openAI": {
            "baseURL": "http://127.0.0.1:9/v1",
            "model": "m",
            "apiKeySecretRef": {"name": "llm", "key": "token"},
        },
    }
    folder = pod_folder(
        tmp_path, make_config(generation=generation, auth={"apiKeys": {"secretRef": {"name": "team"}}})
    )
    mount(folder.secrets / "team", {"a.nobody": "0123456789abcdef"})
    with running_pod(folder) as pod:
        assert_not_ready(pod, "the Secret llm has no entry token", reachable=None)
        assert "the Secret team holds no API key" in pod.status()["store"]["message"]
        assert "0123456789abcdef" not in pod.log.read_text()
        mount(folder.secrets / "llm", {"token": "sk-0123456789"})
        mount(folder.secrets / "team", {"a.query": "0123456789abcdef"})
        pod.wait_until_ready()


def test_the_data_of_another_pipeline_is_refused_and_the_pod_says_so(tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, owned_by("one"))
    with running_pod(folder) as pod:
        pod.wait_until_ready()
        assert pod.post("/ingest", {"documents": [{"id": "a", "text": "The weir"}]}).json()["indexed"] == 1
        assert pod.stop() == 0
    folder.config.write_text(owned_by("other").canonical_json())
    with running_pod(folder) as pod:
        assert_not_ready(pod, "belongs to team-a/handbook of cluster c1", reachable=False)
        assert pod.stop() == 0


def test_settings_that_the_index_was_not_built_with_are_refused(tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, owned_by("one"))
    with running_pod(folder) as pod:
        pod.wait_until_ready()
        assert pod.post("/ingest", {"documents": [{"id": "a", "text": "The weir"}]}).json()["indexed"] == 1
    folder.config.write_text(owned_by("one", retrieval={"bm25": {"language": "German"}}).canonical_json())
    with running_pod(folder) as pod:
        assert_not_ready(pod, "whose index was built with", reachable=False)


def test_a_vector_store_that_comes_and_goes(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "qdrant", start=False) as server:
        store = {"type": "Qdrant", "qdrant": {"url": server.url, "timeoutSeconds": 2, "maxRetries": 0}}
        with running_pod(pod_folder(tmp_path / "pod", make_config(vectorStore=store))) as pod:
            assert_not_ready(pod, "the Qdrant server at", reachable=False)
            server.start()
            pod.wait_until_ready()
            until(lambda: bool(pod.status()["documents"] == 0))
            status = pod.status()
            assert (status["engine"], status["store"]) == ("Qdrant", {"reachable": True, "message": ""})
            server.stop()
            until(lambda: pod.status()["store"]["reachable"] is False)
            status = pod.status()
            assert "the Qdrant server at" in status["store"]["message"]
            assert (status["ready"], status["documents"]) == (True, None)
            server.start()
            until(lambda: pod.status()["store"]["reachable"] is True)


def test_an_embedding_model_that_fails_is_not_blamed_on_the_vector_store(tmp_path: Path) -> None:
    with embedding_server() as embeddings:
        section = {"baseURL": f"{embeddings.url}/v1", "model": "another", "maxRetries": 0}
        section |= {"apiKeySecretRef": {"name": "llm", "key": "token"}, "baseURL": "http://127.0.0.1:9/v1"}
        config = make_config(embedding={"type": "OpenAI", "openAI": section})
        with running_pod(pod_folder(tmp_path, config, llm={"token": "sk-canary-0123456789"})) as pod:
            assert_not_ready(pod, "OpenAI", reachable=None)
            assert "sk-canary" not in pod.log.read_text()
            assert "sk-canary" not in pod.ask("/status").text


@pytest.mark.parametrize("option", ["--port", "--admin-port"])
def test_a_port_that_is_taken_is_one_plain_line(option: str, tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, make_config())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = end_of(folder, option, str(port))
    assert code == 2
    assert lines == [
        f"ragfleet: can't listen on 127.0.0.1:{port}: Address already in use; choose another with "
        + ("--host and --port" if option == "--port" else "--admin-host and --admin-port")
    ]


def test_a_configuration_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = pod_folder(tmp_path, make_config())
    folder.config.write_text(folder.config.read_text().replace('"configVersion":1', '"configVersion":2'))
    code, lines = end_of(folder)
    assert code == 2
    assert len(lines) == 1
    assert "configVersion is 2, and this build (" in lines[0]
    assert TOKEN not in lines[0]
    assert not folder.data.exists()


def end_of(folder: PodFolder, *arguments: str) -> tuple[int, list[str]]:
    command = folder.command(*arguments)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    return done.returncode, done.stderr.strip().splitlines()
