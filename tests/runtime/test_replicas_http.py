"""The service over a Qdrant server and a remote embedding model, as processes of their own."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from support.embedding_server import EmbeddingServer, embedding_server, refusal
from support.qdrant_server import RunningQdrant, running_qdrant
from support.service import RunningService, running_service, up_command


def manifest(**sections: Any) -> str:
    spec = {"generation": {"type": "Extractive"}, "auth": {"required": False}, **sections}
    pipeline = {
        "apiVersion": "ragfleet.dev/v1alpha1",
        "kind": "RAGPipeline",
        "metadata": {"name": "replicated"},
        "spec": spec,
    }
    return yaml.safe_dump(pipeline)


def qdrant_section(server: RunningQdrant) -> dict[str, Any]:
    return {"type": "Qdrant", "qdrant": {"url": server.url, "timeoutSeconds": 3, "maxRetries": 1}}


def openai_section(server: EmbeddingServer) -> dict[str, Any]:
    section = {"baseURL": f"{server.url}/v1", "model": server.model, "maxRetries": 0, "timeoutSeconds": 5}
    return {"type": "OpenAI", "openAI": section}


@contextmanager
def service(folder: Path, text: str) -> Iterator[RunningService]:
    folder.mkdir(parents=True)
    (folder / "pipeline.yaml").write_text(text)
    with running_service(folder) as running:
        yield running


def ingest(url: str, id_: str, text: str) -> httpx.Response:
    body = {"documents": [{"id": id_, "text": text}]}
    return httpx.post(f"{url}/ingest", json=body, timeout=30)


def found(url: str, query: str, **fields: Any) -> list[str]:
    reply = httpx.post(f"{url}/search", json={"query": query, **fields}, timeout=30)
    return [result["document_id"] for result in reply.raise_for_status().json()["results"]]


def test_two_replicas_read_what_the_other_wrote(tmp_path: Path) -> None:
    with ExitStack() as stack:
        server = stack.enter_context(running_qdrant(tmp_path / "qdrant"))
        embeddings = stack.enter_context(embedding_server())
        text = manifest(vectorStore=qdrant_section(server), embedding=openai_section(embeddings), replicas=2)
        urls = [stack.enter_context(service(tmp_path / name, text)).url for name in ("one", "other")]
        for number in range(20):
            writer, reader = urls if number % 2 else reversed(urls)
            reply = ingest(writer, f"doc-{number}", f"Parcel zx{number}q waits in the hall")
            assert reply.json()["indexed"] == 1
            assert found(reader, f"zx{number}q", top_k=1) == [f"doc-{number}"]
        assert ingest(urls[0], "doc-3", "It was fetched by its owner").json()["indexed"] == 1
        assert "doc-3" not in found(urls[1], "zx3q", mode="sparse")
        listed = httpx.get(f"{urls[1]}/documents", params={"limit": 50}, timeout=30).json()["documents"]
        assert len(listed) == 20


def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "qdrant") as server:
        text = manifest(vectorStore=qdrant_section(server))
        with service(tmp_path / "one", text) as running:
            assert ingest(running.url, "a", "The weir is open").json()["indexed"] == 1
            server.stop()
            refused = httpx.post(f"{running.url}/search", json={"query": "weir"}, timeout=30)
            assert refused.status_code == 503
            assert refused.json()["type"].endswith("/storage-failed")
            assert int(refused.headers["Retry-After"]) >= 1
            lost = ingest(running.url, "b", "The lock is shut")
            assert lost.status_code == 503
            assert lost.json()["documents"][0]["status"] == "failed"
            health = httpx.get(f"{running.url}/health", timeout=30)
            assert health.status_code == 503
            assert httpx.get(f"{running.url}/live", timeout=30).status_code == 200
            assert httpx.get(f"{running.url}/ready", timeout=30).status_code == 200  # it stays: it has opened
            assert httpx.get(f"{running.url}/metrics", timeout=30).status_code == 200
            server.start()
            deadline = time.monotonic() + 20
            while httpx.get(f"{running.url}/health", timeout=30).status_code != 200:
                assert time.monotonic() < deadline
                time.sleep(0.2)
            assert found(running.url, "weir") == ["a"]
            assert ingest(running.url, "b", "The lock is shut").json()["indexed"] == 1


def test_a_server_that_is_down_at_the_start_is_waited_for(tmp_path: Path) -> None:
    with running_qdrant(tmp_path / "qdrant", start=False) as server:
        folder = tmp_path / "one"
        folder.mkdir()
        (folder / "pipeline.yaml").write_text(manifest(vectorStore=qdrant_section(server)))
        with starting(folder) as url:
            health = wait_for_health(url, "failed")
            assert "can't be reached" in health["checks"][0]["reason"] or "refused" in str(health)
            ready = httpx.get(f"{url}/ready", timeout=5)
            assert ready.status_code == 503
            assert ready.headers["Retry-After"]
            assert httpx.get(f"{url}/live", timeout=5).status_code == 200
            search = httpx.post(f"{url}/search", json={"query": "weir"}, timeout=5)
            assert search.json()["type"].endswith("/not-ready")
            server.start()
            wait_for_health(url, "ok")
            assert httpx.get(f"{url}/ready", timeout=5).status_code == 200
            assert ingest(url, "a", "The weir is open").json()["indexed"] == 1


@contextmanager
def starting(folder: Path) -> Iterator[str]:
    """A service that isn't ready yet, at an address chosen beforehand."""
    import socket
    import subprocess

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [*up_command(folder), "--port", str(port)]
    with (
        (folder / "service.log").open("a") as log,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)
            assert process.returncode == 0


def wait_for_health(url: str, status: str) -> dict[str, Any]:
    deadline = time.monotonic() + 30
    while True:
        assert time.monotonic() < deadline
        time.sleep(0.1)
        try:
            reply: dict[str, Any] = httpx.get(f"{url}/health", timeout=5).json()
        except httpx.TransportError:
            continue
        if reply["status"] == status and reply["checks"][0]["reason"] != "starting":
            return reply


@pytest.mark.parametrize("policy", ["Fail", "SearchSparse"])
def test_an_embedding_service_that_fails_is_named_or_done_without(tmp_path: Path, policy: str) -> None:
    with embedding_server() as embeddings:
        text = manifest(
            vectorStore={"type": "Embedded"},
            embedding=openai_section(embeddings),
            retrieval={"whenEmbeddingFails": policy},
        )
        with service(tmp_path / "one", text) as running:
            assert ingest(running.url, "a", "The weir is open").json()["indexed"] == 1
            good = httpx.post(f"{running.url}/search", json={"query": "weir"}, timeout=30).json()
            assert (good["mode"], good["degraded"]) == ("hybrid", [])
            embeddings.always = refusal(503, retry_after="7")
            reply = httpx.post(f"{running.url}/search", json={"query": "weir"}, timeout=30)
            if policy == "Fail":
                assert reply.status_code == 503
                assert reply.json()["type"].endswith("/provider-busy")
                assert reply.headers["Retry-After"] == "7"
            else:
                assert reply.json()["degraded"] == ["embedding"]
                assert reply.json()["mode"] == "sparse"
                assert reply.json()["results"][0]["document_id"] == "a"
                answer = httpx.post(f"{running.url}/query", json={"query": "What is open?"}, timeout=30)
                assert "embedding" in answer.json()["degraded"]
            dense = httpx.post(f"{running.url}/search", json={"query": "weir", "mode": "dense"}, timeout=30)
            assert dense.status_code == 503
            failed = ingest(running.url, "a", "The weir is shut")
            assert failed.status_code == 503
            assert failed.json()["documents"][0]["status"] == "failed"
            embeddings.always = None
            assert httpx.get(f"{running.url}/documents/a", timeout=30).json()["text"] == "The weir is open"
            assert ingest(running.url, "a", "The weir is shut").json()["indexed"] == 1


def test_a_text_that_the_model_refuses_takes_no_other_with_it(tmp_path: Path) -> None:
    with embedding_server() as embeddings:
        text = manifest(vectorStore={"type": "Embedded"}, embedding=openai_section(embeddings))
        with service(tmp_path / "one", text) as running:
            embeddings.refused = "poison"
            documents = [{"id": f"{n}", "text": "poison" if n == 3 else f"Harbour {n}"} for n in range(6)]
            reply = httpx.post(f"{running.url}/ingest", json={"documents": documents}, timeout=60)
            statuses = [document["status"] for document in reply.json()["documents"]]
            assert statuses == ["indexed"] * 3 + ["failed"] + ["indexed"] * 2
            assert len(found(running.url, "Harbour", mode="sparse")) == 5


def test_a_mode_that_the_pipeline_can_t_do_is_refused(tmp_path: Path) -> None:
    with service(tmp_path / "one", manifest(vectorStore={"type": "Embedded"})) as running:
        reply = httpx.post(f"{running.url}/search", json={"query": "weir", "mode": "hybrid"}, timeout=30)
        assert reply.status_code == 422
        assert "needs an embedding" in reply.json()["detail"]
