"""The routes of questions on a port of their own, over passages made up by the test and real generators."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import uvicorn

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.api.app import make_app
from ragfleet_runtime.api.observed import Observed
from ragfleet_runtime.api.query import query_router
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.answerer import Answerer
from ragfleet_runtime.generate.build import open_generators
from ragfleet_runtime.generate.chat import ChatModel
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Hit, Passage
from ragfleet_runtime.index.search import SearchRequest
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.retrieve.retriever import Found
from ragfleet_runtime.secrets import MissingSecretError
from support.configs import make_config
from support.llm_server import LLMServer

KEY = "sk-test-5a1b0c-secret"
TEXTS = (
    "Keys are issued at the service desk. Bring your badge.",
    "A lost key is reported to the service desk. The key is then blocked.",
)


def passage(text: str, document: str = "d", *, title: str | None = None) -> Passage:
    """A passage that is the whole of its document."""
    return Passage("t", document, "r", 0, 0, len(text), text, "prose", title)


class FixedRetriever:
    """Finds the same passages, whatever is asked, and keeps what was asked."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.hits = [Hit(passage(text, f"d{n}"), 9.0 - n) for n, text in enumerate(texts)]
        self.asked: list[SearchRequest] = []

    async def search(self, request: SearchRequest, deadline: Deadline) -> Found:
        self.asked.append(request)
        return Found(self.hits[: request.top_k], request.mode)


class FixedEngine:
    """An engine in which every term of the texts is in one chunk of ten."""

    def __init__(self, texts: Sequence[str], analyzer: Analyzer) -> None:
        self._known = {term for text in texts for term in analyzer.counts(text)}

    async def inverse_document_frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        return {term: 2.0 for term in terms if term in self._known}

    async def count(self) -> int:
        return 10


@dataclass
class FixedSecrets:
    """Secrets by name and key."""

    values: dict[tuple[str, str], str] = field(default_factory=lambda: {("llm", "token"): KEY})

    def read(self, ref: SecretKeyRef) -> str:
        try:
            return self.values[ref.name, ref.key]
        except KeyError:
            raise MissingSecretError(f"Secret {ref.name} has no entry {ref.key}") from None

    def entries(self, name: str) -> Mapping[str, str]:
        return {key: value for (secret, key), value in self.values.items() if secret == name}


@dataclass
class RunningApp:
    """The routes, what they count, and what they searched for."""

    client: httpx.AsyncClient
    metrics: Metrics
    retriever: FixedRetriever
    models: tuple[ChatModel, ...] = ()

    async def ask(self, query: str = "Where are keys issued?", **fields: Any) -> httpx.Response:
        """The reply to a question."""
        return await self.client.post("/query", json={"query": query, **fields})

    def value(self, name: str, **labels: str) -> float:
        """A metric's value, 0 where it was never counted."""
        return self.metrics.registry.get_sample_value(name, labels) or 0.0


def openai(server: LLMServer, model: str = "first", **fields: Any) -> dict[str, Any]:
    """The section of a generator of type OpenAI."""
    section = {
        "baseURL": f"{server.url}/v1",
        "model": model,
        "apiKeySecretRef": {"name": "llm", "key": "token"},
    }
    return {"type": "OpenAI", "openAI": {**section, **fields}}


def anthropic(server: LLMServer, model: str = "first", **fields: Any) -> dict[str, Any]:
    """The section of a generator of type Anthropic."""
    section = {"baseURL": server.url, "model": model, "apiKeySecretRef": {"name": "llm", "key": "token"}}
    return {"type": "Anthropic", "anthropic": {**section, **fields}}


@asynccontextmanager
async def running_app(
    generation: dict[str, Any],
    *,
    texts: Sequence[str] = TEXTS,
    deadline: float = 20.0,
    secrets: FixedSecrets | None = None,
) -> AsyncIterator[RunningApp]:
    """An application with this ``spec.generation``, served as the service is, until the block ends."""
    config = make_config(generation=generation)
    analyzer, metrics, retriever = Analyzer("English"), Metrics(), FixedRetriever(texts)
    async with open_generators(
        config.generation,
        config.retrieval.query,
        secrets or FixedSecrets(),
        engine=FixedEngine(texts, analyzer),  # type: ignore[arg-type]
        analyzer=analyzer,
        metrics=metrics,
    ) as generators:
        answerer = Answerer(
            retriever,  # type: ignore[arg-type]
            generators,
            config.retrieval,
            metrics,
            deadline_seconds=deadline,
        )
        app = Observed(make_app("test", [query_router(answerer, 2**22)]), metrics)
        async with served(app) as url, httpx.AsyncClient(base_url=url, timeout=60) as client:
            yield RunningApp(client, metrics, retriever, generators.models)


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The application's address, on a free port."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http="httptools", ws="none", lifespan="off", log_config=None, access_log=False
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server._serve([listener]))
    while not server.started:  # noqa: ASYNC110 (uvicorn has no event for it)
        await asyncio.sleep(0.002)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        listener.close()


async def events(response: httpx.Response) -> list[tuple[str, dict[str, Any]]]:
    """The events of a stream, each with its data."""
    found = []
    name = ""
    async for line in response.aiter_lines():
        field_, _, value = line.partition(": ")
        if field_ == "event":
            name = value
        elif field_ == "data":
            found.append((name, httpx.Response(200, text=value).json()))
    return found
