"""A local model for coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.local import LocalEmbedder
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import ProviderError

pytestmark = pytest.mark.anyio


class Model:
    """Gives a text's length as its vector; chunks wait until they are let go."""

    dimensions = 1
    max_tokens = None

    def __init__(self) -> None:
        self.questions: list[Sequence[str]] = []
        self.chunks: list[int] = []
        self.go = threading.Event()
        self.begun = threading.Event()

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        self.questions.append(texts)
        if "bad" in texts:
            raise ProviderError("Somebody", "invalid_request", "refused")
        return [[float(len(text))] for text in texts]

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        self.begun.set()
        assert self.go.wait(20)
        self.chunks.append(len(texts))
        return [[float(len(text))] for text in texts]


@pytest.fixture
def model() -> Model:
    return Model()


async def test_questions_do_not_wait_for_documents(model: Model) -> None:
    embedder = LocalEmbedder("Somebody", model, 8)
    documents = asyncio.create_task(embedder.embed_documents(["a", "bb"]))
    await asyncio.to_thread(model.begun.wait, 20)
    assert await embedder.embed_query("ccc", Deadline(5)) == [3.0]
    model.go.set()
    assert await documents == [[1.0], [2.0]]
    await embedder.aclose()


async def test_questions_that_arrive_together_are_one_call(model: Model) -> None:
    embedder = LocalEmbedder("Somebody", model, 8)
    found = await asyncio.gather(*(embedder.embed_query("x" * n, Deadline(5)) for n in range(10)))
    assert found == [[float(n)] for n in range(10)]
    assert [len(texts) for texts in model.questions] == [8, 2]
    await embedder.aclose()


async def test_a_text_that_the_model_refuses_harms_nobody_else(model: Model) -> None:
    embedder = LocalEmbedder("Somebody", model, 8)
    found = await asyncio.gather(
        *(embedder.embed_query(text, Deadline(5)) for text in ("a", "bad", "cc")), return_exceptions=True
    )
    assert [found[0], found[2]] == [[1.0], [2.0]]
    assert isinstance(found[1], ProviderError)
    await embedder.aclose()


async def test_a_cancelled_document_stops_before_its_next_slice(model: Model) -> None:
    embedder = LocalEmbedder("Somebody", model, 8)
    task = asyncio.create_task(embedder.embed_documents(["x"] * 1000))
    await asyncio.to_thread(model.begun.wait, 20)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    model.go.set()
    await embedder.aclose()
    assert sum(model.chunks) < 100


async def test_a_large_document_keeps_its_order(model: Model) -> None:
    model.go.set()
    embedder = LocalEmbedder("Somebody", model, 8)
    texts = ["x" * n for n in range(200)]
    assert await embedder.embed_documents(texts) == [[float(n)] for n in range(200)]
    assert len(model.chunks) > 1
    assert await embedder.embed_documents([]) == []
    await embedder.aclose()
