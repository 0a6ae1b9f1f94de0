"""Embedding services over the wire: what is sent, and what each fault becomes, through the real clients."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any, Literal

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.build import open_embedding
from ragfleet_runtime.embed.model import Embedder
from ragfleet_runtime.errors import ProviderError, ProviderFault
from support.embedding_models import KEY, Secrets, remote_config
from support.embedding_server import (
    COHERE_PATH,
    OPENAI_PATH,
    EmbeddingServer,
    Fault,
    cosine,
    embedding_server,
    refusal,
    vector_of,
)

pytestmark = pytest.mark.anyio

Type = Literal["OpenAI", "Cohere"]
SECRET = "sk-Xy12-very-secret"
TYPES: tuple[Type, ...] = ("OpenAI", "Cohere")


@pytest.fixture
def server() -> Iterator[EmbeddingServer]:
    with embedding_server() as running:
        yield running


@pytest.fixture(params=TYPES)
def type_(request: pytest.FixtureRequest) -> Type:
    return request.param  # type: ignore[no-any-return]


@asynccontextmanager
async def opened(
    type_: Type, server: EmbeddingServer | str, secrets: Secrets | None = None, **settings: Any
) -> AsyncIterator[Embedder]:
    embedding = open_embedding(remote_config(type_, server, **settings), secrets or Secrets())
    assert embedding.local is None
    try:
        yield embedding.embedder
    finally:
        await embedding.embedder.aclose()


async def failure(embedder: Embedder, *, seconds: float = 10) -> ProviderError:
    with pytest.raises(ProviderError) as raised:
        await embedder.embed_query("Where is the salt?", Deadline(seconds))
    message = str(raised.value)
    assert "\n" not in message
    assert len(message) < 250
    assert SECRET not in message
    assert "salt" not in message
    return raised.value


async def test_openai_is_asked_in_its_own_words(server: EmbeddingServer) -> None:
    secrets = Secrets(token=SECRET)
    async with opened("OpenAI", server, secrets, api_key=KEY, query_prefix="query: ") as embedder:
        vector = await embedder.embed_query("red lighthouse", Deadline(5))
    assert vector == pytest.approx(vector_of("query: red lighthouse", 64))
    (call,) = server.calls
    assert call.path == OPENAI_PATH
    assert call.authorization == f"Bearer {SECRET}"
    assert call.body == {
        "input": ["query: red lighthouse"],
        "model": "bag-of-words",
        "encoding_format": "float",
    }


async def test_cohere_is_asked_in_its_own_words(server: EmbeddingServer) -> None:
    secrets = Secrets(token=SECRET)
    async with opened("Cohere", server, secrets, api_key=KEY, document_prefix="passage: ") as embedder:
        await embedder.embed_query("red lighthouse", Deadline(5))
        await embedder.embed_documents(["blue harbour"])
    query, document = server.calls
    assert query.path == COHERE_PATH
    assert query.authorization == f"Bearer {SECRET}"
    assert query.body == {
        "texts": ["red lighthouse"],
        "model": "bag-of-words",
        "input_type": "search_query",
        "embedding_types": ["float"],
    }
    assert document.body["input_type"] == "search_document"
    assert document.texts == ["passage: blue harbour"]


async def test_configured_dimensions_are_asked_for(type_: Type, server: EmbeddingServer) -> None:
    async with opened(type_, server, dimensions=32) as embedder:
        assert len(await embedder.embed_query("red", Deadline(5))) == 32
    assert server.calls[0].body["dimensions" if type_ == "OpenAI" else "output_dimension"] == 32


async def test_without_a_configured_key_none_is_sent(
    type_: Type, server: EmbeddingServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even one that the library would find in the environment."""
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY", "CO_API_KEY"):
        monkeypatch.setenv(name, SECRET)
    async with opened(type_, server) as embedder:
        await embedder.embed_query("red", Deadline(5))
    assert server.calls[0].authorization is None
    assert SECRET not in json.dumps(server.calls[0].headers)


async def test_a_new_key_counts_from_the_next_call(type_: Type, server: EmbeddingServer) -> None:
    server.key = "new"
    secrets = Secrets(token="old")
    async with opened(type_, server, secrets, api_key=KEY) as embedder:
        assert (await failure(embedder)).fault == "unauthorized"
        secrets.values["token"] = "new"
        assert await embedder.embed_query("red", Deadline(5))


async def test_a_missing_secret_is_an_error_of_the_call_that_names_it(type_: Type) -> None:
    async with opened(type_, "http://127.0.0.1:9", api_key=KEY) as embedder:
        error = await failure(embedder)
    assert error.fault == "unauthorized"
    assert "Secret models" in str(error)
    assert "token" in str(error)


@pytest.mark.parametrize("value", [f"{SECRET}\nX-Other: 1", f"{SECRET} ", f"{SECRET}\x00", f"{SECRET}é", ""])
async def test_a_secret_that_cannot_be_sent_is_not_said(type_: Type, value: str) -> None:
    async with opened(type_, "http://127.0.0.1:9", Secrets(token=value), api_key=KEY) as embedder:
        error = await failure(embedder)
    assert error.fault == "unauthorized"
    assert "the entry token of the Secret models isn't an API key" in str(error)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (400, "invalid_request"),
        (401, "unauthorized"),
        (403, "forbidden"),
        (404, "not_found"),
        (422, "invalid_request"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (503, "overloaded"),
        (529, "overloaded"),
    ],
)
async def test_every_refusal_has_its_fault_and_echoes_nothing(
    type_: Type, server: EmbeddingServer, status: int, fault: ProviderFault
) -> None:
    server.faults.append(refusal(status, code=SECRET, echo=f"Where is the salt? Bearer {SECRET}"))
    async with opened(type_, server, Secrets(token=SECRET), api_key=KEY) as embedder:
        error = await failure(embedder)
    assert error.fault == fault
    assert error.provider == f"{type_} embeddings"
    assert str(error).startswith(f"{type_} embeddings: ")
    assert error.retry_after is None
    assert len(server.calls) == 1


async def test_openais_word_for_what_is_wrong_is_said(server: EmbeddingServer) -> None:
    server.faults.append(refusal(400, code="context_length_exceeded"))
    async with opened("OpenAI", server) as embedder:
        assert "HTTP 400, context_length_exceeded" in str(await failure(embedder))


async def test_an_unknown_model_is_named(type_: Type, server: EmbeddingServer) -> None:
    async with opened(type_, server, model="no-such") as embedder:
        error = await failure(embedder)
    assert error.fault == "not_found"
    assert "no-such" in str(error)


async def test_what_may_pass_is_tried_again(type_: Type, server: EmbeddingServer) -> None:
    server.faults.extend([refusal(503), Fault(drop=True)])
    async with opened(type_, server, max_retries=2) as embedder:
        assert await embedder.embed_query("red", Deadline(10))
    assert len(server.calls) == 3


async def test_retry_after_is_kept_to_within_the_deadline(type_: Type, server: EmbeddingServer) -> None:
    server.faults.append(refusal(429, retry_after="0.5"))
    started = time.monotonic()
    async with opened(type_, server, max_retries=1) as embedder:
        assert await embedder.embed_query("red", Deadline(10))
    assert 0.5 <= time.monotonic() - started < 3


async def test_retry_after_beyond_the_deadline_is_told_at_once(type_: Type, server: EmbeddingServer) -> None:
    server.faults.append(refusal(429, retry_after="30"))
    started = time.monotonic()
    async with opened(type_, server, max_retries=3) as embedder:
        error = await failure(embedder, seconds=2)
    assert time.monotonic() - started < 1.5
    assert error.fault == "rate_limited"
    assert error.retry_after == 30
    assert len(server.calls) == 1


async def test_a_refused_connection_names_the_address(type_: Type) -> None:
    async with opened(type_, "http://127.0.0.1:9") as embedder:
        error = await failure(embedder)
    assert error.fault == "unavailable"
    assert "can't reach http://127.0.0.1:9" in str(error)


async def test_a_connection_that_is_dropped_is_unavailable(type_: Type, server: EmbeddingServer) -> None:
    server.faults.append(Fault(drop=True))
    async with opened(type_, server) as embedder:
        assert (await failure(embedder)).fault == "unavailable"


async def test_an_answer_that_breaks_off_is_unavailable(type_: Type, server: EmbeddingServer) -> None:
    server.faults.append(Fault(cut=True))
    async with opened(type_, server) as embedder:
        assert (await failure(embedder)).fault == "unavailable"


@pytest.mark.parametrize("fault", [Fault(before=30), Fault(drip=0.05)], ids=["headers", "body"])
async def test_a_slow_answer_ends_with_the_time_of_a_call(
    type_: Type, server: EmbeddingServer, fault: Fault
) -> None:
    """A body that drips comes in time byte by byte, and not as a whole."""
    server.faults.append(fault)
    started = time.monotonic()
    async with opened(type_, server, timeout_seconds=1) as embedder:
        error = await failure(embedder)
    assert error.fault == "timeout"
    assert 0.9 <= time.monotonic() - started < 2.5


@pytest.mark.parametrize("fault", [Fault(before=30), Fault(drip=0.05)], ids=["headers", "body"])
async def test_a_slow_answer_ends_with_the_deadline(
    type_: Type, server: EmbeddingServer, fault: Fault
) -> None:
    server.faults.append(fault)
    started = time.monotonic()
    async with opened(type_, server, max_retries=3) as embedder:
        error = await failure(embedder, seconds=0.5)
    assert error.fault == "timeout"
    assert time.monotonic() - started < 1.5


def nan(rows: list[Any]) -> list[Any]:
    return [[math.nan, *row[1:]] for row in rows]


def infinite(rows: list[Any]) -> list[Any]:
    return [[*row[:-1], math.inf] for row in rows]


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        (Fault(body=b'{"data": [{"embe'), "isn't JSON"),
        (Fault(body=b"<html>hello</html>"), "isn't JSON"),
        (Fault(body=b""), "isn't JSON"),
        (Fault(body=b"[]"), "its answer has no"),
        (Fault(body=b'{"data": null, "embeddings": null}'), "its answer has no"),
        (Fault(body=b'{"data": [{"index": 0}], "embeddings": {"int8": [[1]]}}'), "its answer has no"),
        (Fault(rows=lambda rows: rows[:-1]), "0 vectors for 1 texts"),
        (Fault(rows=lambda rows: rows * 2), "2 vectors for 1 texts"),
        (Fault(rows=lambda rows: [row[:-1] for row in rows]), "63 dimensions and the pipeline asks for 64"),
        (Fault(rows=nan), "NaN or infinite"),
        (Fault(rows=infinite), "NaN or infinite"),
        (Fault(rows=lambda rows: [[0.0] * len(row) for row in rows]), "all zeros"),
        (Fault(rows=lambda rows: [[str(number) for number in row] for row in rows]), "list of numbers"),
        (Fault(rows=lambda rows: [None for _ in rows]), "list of numbers"),
    ],
)
async def test_an_answer_that_is_not_what_the_api_says_is_refused(
    type_: Type, server: EmbeddingServer, fault: Fault, message: str
) -> None:
    server.faults.append(fault)
    async with opened(type_, server, dimensions=64, max_retries=2) as embedder:
        error = await failure(embedder)
    assert message in str(error)
    assert error.fault == "bad_response"
    assert len(server.calls) == 1


@pytest.mark.parametrize("status", [302, 307])
async def test_texts_are_not_sent_to_where_an_answer_points(
    type_: Type, server: EmbeddingServer, status: int
) -> None:
    server.faults.append(Fault(status, headers={"Location": f"{server.url}/elsewhere"}))
    async with opened(type_, server) as embedder:
        error = await failure(embedder)
    assert error.fault == "bad_response"
    assert "sends elsewhere: set baseURL" in str(error)
    assert len(server.calls) == 1


async def test_whole_numbers_become_floats(type_: Type, server: EmbeddingServer) -> None:
    server.faults.append(Fault(rows=lambda rows: [[1, 0, 0] for _ in rows]))
    async with opened(type_, server, normalize=False) as embedder:
        vector = await embedder.embed_query("red", Deadline(5))
    assert vector == [1.0, 0.0, 0.0]
    assert all(type(number) is float for number in vector)


async def test_vectors_with_the_same_index_are_refused(server: EmbeddingServer) -> None:
    item = {"index": 0, "embedding": [1.0, 0.0]}
    server.faults.append(Fault(body=json.dumps({"data": [item, item]}).encode()))
    async with opened("OpenAI", server) as embedder:
        assert "same index" in str(await failure(embedder))


async def test_openais_vectors_are_put_in_the_order_of_the_texts(server: EmbeddingServer) -> None:
    server.shuffled = True
    texts = ["red", "green", "blue"]
    async with opened("OpenAI", server) as embedder:
        vectors = await embedder.embed_documents(texts)
    assert vectors == [pytest.approx(vector_of(text, 64)) for text in texts]


async def test_text_that_is_not_unicode_is_refused_before_it_is_sent(
    type_: Type, server: EmbeddingServer
) -> None:
    async with opened(type_, server) as embedder:
        with pytest.raises(ProviderError, match="isn't valid Unicode") as raised:
            await embedder.embed_documents(["whole", "broken \ud800"])
    assert raised.value.fault == "invalid_request"
    assert server.calls == []


def test_the_servers_vectors_are_near_where_texts_share_words() -> None:
    lighthouse = vector_of("a red lighthouse", 256)
    assert cosine(lighthouse, vector_of("the red lighthouse", 256)) > 0.5
    assert abs(cosine(lighthouse, vector_of("quarterly tax report", 256))) < 0.3
    assert vector_of("a red lighthouse", 256) == lighthouse
