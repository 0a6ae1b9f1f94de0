"""Many texts and many questions at once, at an embedding service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.build import open_embedding
from ragfleet_runtime.embed.model import Embedder
from ragfleet_runtime.errors import ProviderError
from support.embedding_models import Secrets, remote_config
from support.embedding_server import COHERE_MOST_TEXTS, EmbeddingServer, embedding_server, refusal, vector_of

pytestmark = pytest.mark.anyio


@asynccontextmanager
async def opened(
    server: EmbeddingServer, type_: Literal["OpenAI", "Cohere"] = "OpenAI", **settings: Any
) -> AsyncIterator[Embedder]:
    embedder = open_embedding(remote_config(type_, server, **settings), Secrets()).embedder
    try:
        yield embedder
    finally:
        await embedder.aclose()


async def arrived(server: EmbeddingServer, calls: int) -> None:
    await asyncio.to_thread(server.wait_for_calls, calls)


async def test_documents_go_in_batches_several_at_once_and_keep_their_order() -> None:
    texts = [f"text {n}" for n in range(50)]
    with embedding_server(gate=threading.Event()) as server:
        async with opened(server, batch_size=8, max_concurrency=4) as embedder:
            task = asyncio.create_task(embedder.embed_documents(texts))
            await arrived(server, 3)
            await asyncio.sleep(0.05)
            assert len(server.calls) == 3  # the fourth is for questions
            assert server.gate is not None
            server.gate.set()
            vectors = await task
    assert vectors == [pytest.approx(vector_of(text, 64)) for text in texts]
    assert sorted(len(call.texts) for call in server.calls) == [2, 8, 8, 8, 8, 8, 8]
    assert server.most_busy == 3


async def test_a_question_does_not_wait_for_documents() -> None:
    with embedding_server(gate=threading.Event()) as server:
        async with opened(server, batch_size=1, max_concurrency=2) as embedder:
            documents = asyncio.create_task(embedder.embed_documents(["a", "b", "c"]))
            await arrived(server, 1)
            question = asyncio.create_task(embedder.embed_query("question", Deadline(10)))
            await arrived(server, 2)
            assert server.calls[1].texts == ["question"]
            assert server.gate is not None
            server.gate.set()
            await asyncio.gather(documents, question)


async def test_with_one_call_at_once_everything_goes_one_by_one() -> None:
    with embedding_server() as server:
        async with opened(server, batch_size=2, max_concurrency=1) as embedder:
            await asyncio.gather(
                embedder.embed_documents(["a", "b", "c", "d"]),
                *(embedder.embed_query(str(n), Deadline(10)) for n in range(5)),
            )
    assert server.most_busy == 1


async def test_questions_that_arrive_together_are_one_call() -> None:
    with embedding_server() as server:
        async with opened(server) as embedder:
            questions = [f"question {n}" for n in range(10)]
            found = await asyncio.gather(*(embedder.embed_query(text, Deadline(10)) for text in questions))
    assert found == [pytest.approx(vector_of(text, 64)) for text in questions]
    assert len(server.calls) == 1


async def test_questions_wait_together_while_every_call_is_taken() -> None:
    with embedding_server(gate=threading.Event()) as server:
        async with opened(server, max_concurrency=1) as embedder:
            tasks = [asyncio.create_task(embedder.embed_query("first", Deadline(10)))]
            await arrived(server, 1)
            tasks += [asyncio.create_task(embedder.embed_query(str(n), Deadline(10))) for n in range(6)]
            await asyncio.sleep(0.02)
            assert server.gate is not None
            server.gate.set()
            await asyncio.gather(*tasks)
    assert [len(call.texts) for call in server.calls] == [1, 6]


async def test_a_refused_question_does_not_harm_those_it_went_with() -> None:
    with embedding_server(refused="forbidden words") as server:
        async with opened(server) as embedder:
            found = await asyncio.gather(
                *(embedder.embed_query(text, Deadline(10)) for text in ("a", "forbidden words", "c")),
                return_exceptions=True,
            )
    assert found[0] == pytest.approx(vector_of("a", 64))
    assert isinstance(found[1], ProviderError)
    assert found[1].fault == "invalid_request"
    assert found[2] == pytest.approx(vector_of("c", 64))
    assert sorted(len(call.texts) for call in server.calls) == [1, 1, 1, 3]


async def test_the_first_batch_that_fails_stops_the_others() -> None:
    with embedding_server() as server:
        server.faults.append(refusal(403))
        async with opened(server, batch_size=1, max_concurrency=2) as embedder:
            with pytest.raises(ProviderError) as raised:
                await embedder.embed_documents([f"text {n}" for n in range(50)])
            assert raised.value.fault == "forbidden"
            calls = len(server.calls)
            assert calls < 5
            await asyncio.sleep(0.05)
            assert len(server.calls) == calls


async def test_a_cancelled_ingestion_stops_its_calls() -> None:
    with embedding_server(gate=threading.Event()) as server:
        async with opened(server, batch_size=1, max_concurrency=2) as embedder:
            task = asyncio.create_task(embedder.embed_documents(["a", "b", "c"]))
            await arrived(server, 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert server.gate is not None
            server.gate.set()
            assert await embedder.embed_query("next", Deadline(10))
    assert [call.texts for call in server.calls] == [["a"], ["next"]]


async def test_cohere_gets_no_more_texts_than_it_takes() -> None:
    with embedding_server() as server:
        async with opened(server, "Cohere", batch_size=500) as embedder:
            assert len(await embedder.embed_documents([f"text {n}" for n in range(200)])) == 200
            await asyncio.gather(*(embedder.embed_query(f"q {n}", Deadline(10)) for n in range(150)))
    assert max(len(call.texts) for call in server.calls) == COHERE_MOST_TEXTS


async def test_large_answers_are_read_beside_the_loop() -> None:
    with embedding_server(dimensions=3072) as server:
        async with opened(server, batch_size=64) as embedder:
            vectors = await embedder.embed_documents([f"text {n}" for n in range(64)])
    assert [len(vector) for vector in vectors] == [3072] * 64


async def test_no_texts_need_no_call() -> None:
    with embedding_server() as server:
        async with opened(server) as embedder:
            assert await embedder.embed_documents([]) == []
    assert server.calls == []
