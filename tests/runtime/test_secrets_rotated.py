"""Every key counts from when it is mounted, without a restart: the operator rolls for none of them."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_operator.model import Settings
from ragfleet_operator.render import references
from support.configs import MINIMAL, make_config
from support.embedding_server import EmbeddingServer, embedding_server
from support.llm_server import LLMServer, Script, llm_server
from support.mounted_secret import mount
from support.pod import KEYS, PodFolder, RunningPod, pod_folder, running_pod
from support.qdrant_server import RunningQdrant, running_qdrant
from support.rendering import pipeline_of

pytestmark = pytest.mark.anyio

FIRST = {
    "store": "the-first-key-of-the-store",
    "vectors": "the-first-key-of-vectors",
    "chat": "the-first-key-of-chat",
    "messages": "the-first-key-of-messages",
}
SECOND = {name: value.replace("first", "second") for name, value in FIRST.items()}
SECRET = "providers"
DOCUMENT = {"id": "keys", "text": "Keys are issued at the service desk. Bring your badge."}


@dataclass(frozen=True)
class World:
    """A service in a process of its own, and all that it calls."""

    folder: PodFolder
    pod: RunningPod
    qdrant: RunningQdrant
    vectors: EmbeddingServer
    models: LLMServer

    async def ask(self, **headers: str) -> httpx.Response:
        given = headers or {"Authorization": f"Bearer {KEYS['default.admin']}"}
        async with httpx.AsyncClient(timeout=30) as client:
            body = {"query": f"Where are keys issued, {uuid.uuid4()}?"}  # its vector isn't known yet
            return await client.post(f"{self.pod.url}/query", json=body, headers=given)

    def sent(self) -> dict[str, str]:
        """The keys that the models were last asked with."""
        headers = {
            "vectors": self.vectors.calls[-1].authorization or "",
            "chat": self.models.asked("chat")[-1].headers["authorization"],
            "messages": self.models.asked("messages")[-1].headers["authorization"],
        }
        return {name: value.removeprefix("Bearer ") for name, value in headers.items()}


def spec(qdrant: str, vectors: str, models: str, provider: str) -> dict[str, Any]:
    """A spec that names a Secret's entry wherever the service reads a key."""

    def entry(key: str) -> dict[str, str]:
        return {"name": SECRET, "key": key}

    section = "openAI" if provider == "OpenAI" else "cohere"
    vectors = f"{vectors}/v1" if provider == "OpenAI" else vectors
    fallback = {"baseURL": models, "model": "messages", "apiKeySecretRef": entry("messages")}
    return {
        **MINIMAL,
        "vectorStore": {
            "type": "Qdrant",
            "qdrant": {"url": qdrant, "apiKeySecretRef": entry("store")},
        },
        "embedding": {
            "type": provider,
            section: {"baseURL": vectors, "model": "bag-of-words", "apiKeySecretRef": entry("vectors")},
        },
        "generation": {
            "type": "OpenAI",
            "openAI": {"baseURL": f"{models}/v1", "model": "chat", "apiKeySecretRef": entry("chat")},
            "fallbacks": [{"name": "second", "type": "Anthropic", "anthropic": fallback}],
        },
        "auth": {"apiKeys": {"secretRef": {"name": "callers"}}},
    }


async def is_ready(pod: RunningPod) -> bool:
    async with httpx.AsyncClient(timeout=30) as client:
        return (await client.get(f"{pod.url}/ready")).status_code == 200


@asynccontextmanager
async def running(folder: Path, provider: str) -> AsyncIterator[World]:
    with (
        running_qdrant(folder / "qdrant", api_key=FIRST["store"]) as qdrant,
        embedding_server() as vectors,
    ):
        async with llm_server() as models:
            models.script("chat", Script(status=400))  # so that the next one is asked, each time
            config: RuntimeConfig = make_config(**spec(qdrant.url, vectors.url, models.url, provider))
            files = pod_folder(folder / "pod", config, **{SECRET: FIRST})
            entered = running_pod(files)
            pod = await asyncio.to_thread(entered.__enter__)
            try:
                await until(lambda: is_ready(pod), 120)
                ingested = await asyncio.to_thread(pod.post, "/ingest", {"documents": [DOCUMENT]})
                assert ingested.json()["failed"] == 0
                yield World(files, pod, qdrant, vectors, models)
            finally:
                await asyncio.to_thread(entered.__exit__, None, None, None)


async def until(holds: Callable[[], Any], seconds: float = 30.0) -> None:
    end = time.monotonic() + seconds
    while True:
        with suppress(httpx.TimeoutException):  # while a busy machine loads the service's libraries
            if await holds():
                return
        assert time.monotonic() < end, "it didn't happen in time"
        await asyncio.sleep(0.1)


@pytest.mark.parametrize("provider", ["OpenAI", "Cohere"])
async def test_every_key_counts_from_when_it_is_mounted(tmp_path: Path, provider: str) -> None:
    async with running(tmp_path, provider) as world:
        assert (await world.ask()).status_code == 200
        assert world.sent() == {name: FIRST[name] for name in ("vectors", "chat", "messages")}
        mount(world.folder.secrets / SECRET, SECOND)
        world.qdrant.server.api_key = SECOND["store"]  # the old one is refused from now on

        async def is_second() -> bool:
            answer = await world.ask()
            return answer.status_code == 200 and set(world.sent().values()) <= set(SECOND.values())

        await until(is_second)
        other = "another-key-of-a-caller-0123"
        mount(world.folder.secrets / "callers", {"somebody.query": other})

        async def is_let_in() -> bool:
            return (await world.ask(Authorization=f"Bearer {other}")).status_code == 200

        await until(is_let_in)
        assert (await world.ask()).status_code == 401
        assert world.pod.process.poll() is None  # all of it in one process


def test_the_operator_rolls_for_none_of_them() -> None:
    url = "https://127.0.0.1"
    settings = Settings(image="registry.example/ragfleet:1")
    found = [
        reference
        for provider in ("OpenAI", "Cohere")
        for reference in references(pipeline_of(spec(url, url, url, provider)), settings)
    ]
    assert {reference.used_by: reference.rolls for reference in found} == {
        "spec.vectorStore.qdrant.apiKeySecretRef": False,
        "spec.embedding.openAI.apiKeySecretRef": False,
        "spec.embedding.cohere.apiKeySecretRef": False,
        "spec.generation.openAI.apiKeySecretRef": False,
        "spec.generation.fallbacks[0].anthropic.apiKeySecretRef": False,
        "spec.auth.apiKeys.secretRef": False,
    }
