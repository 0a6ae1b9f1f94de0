"""Streaming on the wire: the order of events, their promptness, and a client that goes away."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from typing import Any

import httpx
import pytest

from support.llm_app import KEY, TEXTS, RunningApp, anthropic, events, openai, running_app
from support.llm_server import PIECES, LLMServer, Script, llm_server

pytestmark = pytest.mark.anyio

ASKED = {"query": "Where are keys issued?"}
APIS = pytest.mark.parametrize("api", [openai, anthropic], ids=["openai", "anthropic"])


@pytest.fixture
async def server() -> AsyncIterator[LLMServer]:
    async with llm_server() as running:
        yield running


async def streamed(
    app: RunningApp, path: str = "/query/stream", **fields: Any
) -> list[tuple[str, dict[str, Any]]]:
    async with app.client.stream("POST", path, json={**ASKED, **fields}) as reply:
        assert reply.status_code == 200, await reply.aread()
        return await events(reply)


@APIS
async def test_a_streamed_answer_is_the_same_as_a_whole_one(api: Any, server: LLMServer) -> None:
    async with running_app(api(server)) as app:
        whole = (await app.ask()).json()
        for found in (await streamed(app), await streamed(app, "/query", stream=True)):
            assert [name for name, _ in found] == ["sources", *["content"] * len(PIECES), "done"]
            text = "".join(data["content"] for name, data in found if name == "content")
            made = {"answer": text, **found[0][1], **found[-1][1]}
            for reply in (whole, made):
                reply["latency_ms"] = 0
            assert made == whole
    assert whole["answer"] == "Keys are issued at the service desk. [1]"
    assert whole["usage"] == {"prompt_tokens": 21, "completion_tokens": 4, "total_tokens": 25}
    assert [source["text"] for source in whole["sources"]] == list(TEXTS)
    assert whole["citations"] == [{"n": 1, "answer_start": 0, "answer_end": 36}]
    assert (whole["confidence"], whole["model"], whole["degraded"]) == (1.0, "first", [])


async def test_nothing_between_the_service_and_its_client_may_buffer(server: LLMServer) -> None:
    async with (
        running_app(openai(server)) as app,
        app.client.stream("POST", "/query/stream", json=ASKED) as reply,
    ):
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        assert reply.headers["Cache-Control"] == "no-cache"
        assert reply.headers["X-Accel-Buffering"] == "no"
        assert "Content-Length" not in reply.headers


@APIS
async def test_each_piece_is_sent_as_it_comes(api: Any, server: LLMServer) -> None:
    server.script("first", Script(pieces=("One.", " Two.", " Three."), between=0.15))
    async with running_app(api(server)) as app:
        await app.ask()  # loads what is loaded once
        async with app.client.stream("POST", "/query/stream", json=ASKED) as reply:
            times = [time.monotonic() async for line in reply.aiter_lines() if line == "event: content"]
    sent = server.requests[-1].first_sent_at
    assert sent is not None
    assert times[0] - sent < 0.1
    assert all(0.1 < later - earlier < 0.25 for earlier, later in pairwise(times))


async def test_a_marker_is_in_one_event(server: LLMServer) -> None:
    server.script("first", Script(pieces=("Keys expire ", "[", "1", ",", " 2", "]", ".")))
    async with running_app(openai(server)) as app:
        contents = [data["content"] for name, data in await streamed(app) if name == "content"]
    assert contents == ["Keys expire", " [1] [2]", "."]


@APIS
@pytest.mark.parametrize("when", ["before the first piece", "within the answer"])
@pytest.mark.parametrize("path", ["/query/stream", "/query"])
async def test_a_client_that_goes_away_stops_the_model(
    path: str, when: str, api: Any, server: LLMServer
) -> None:
    early = when.startswith("before")
    server.script(
        "first", Script(before_first=60 if early else 0, pieces=("word ",), between=0.02, endless=True)
    )
    async with running_app(api(server)) as app:
        writer = await sent(app, path)
        while not server.requests or not (early or server.requests[0].first_sent_at):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.1)
        gone = time.monotonic()
        writer.transport.abort()
        while server.requests[0].gone_at is None:
            await asyncio.sleep(0.005)
            assert time.monotonic() - gone < 5
    assert server.requests[0].gone_at - gone < 0.1


async def sent(app: RunningApp, path: str) -> asyncio.StreamWriter:
    """A connection on which the question was asked."""
    host, port = str(app.client.base_url).removeprefix("http://").rstrip("/").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    body = json.dumps(ASKED).encode()
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    writer.write(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    return writer


@APIS
async def test_usage_that_isnt_told_is_zero(api: Any, server: LLMServer) -> None:
    server.script("first", Script(ends_without="usage"))
    async with running_app(api(server)) as app:
        usage = (await app.ask()).json()["usage"]
        if api is openai:
            assert usage == {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
            assert app.value("ragfleet_tokens_total", generator="openai", kind="prompt") == 0
        else:  # Anthropic tells it in the events that an answer can't do without
            assert usage["total_tokens"] > 0
            assert app.value("ragfleet_tokens_total", generator="anthropic", kind="prompt") == 21


async def test_a_server_that_doesnt_know_stream_options_is_asked_without(server: LLMServer) -> None:
    server.script("first", Script(refuses_stream_options=True))
    async with running_app(openai(server)) as app:
        for _ in range(2):
            reply = (await app.ask()).json()
            assert (reply["degraded"], reply["usage"]["total_tokens"]) == ([], 0)
    assert ["stream_options" in request.body for request in server.requests] == [True, False, False]


@pytest.mark.parametrize("without", ["finish", "done"])
async def test_one_sign_of_the_end_is_enough(without: Any, server: LLMServer) -> None:
    server.script("first", Script(ends_without=without))
    async with running_app(openai(server)) as app:
        assert (await app.ask()).json()["degraded"] == []


async def test_what_a_model_thinks_is_no_answer(server: LLMServer) -> None:
    server.script(
        "first", Script(thinking=("Let", " me see"), pieces=("<thi", "nk>Hm.</th", "ink>\n\nYes. [1]"))
    )
    async with running_app(openai(server)) as app:
        assert (await app.ask()).json()["answer"] == "Yes. [1]"


async def test_settings_reach_openai(server: LLMServer) -> None:
    section = {**openai(server), "temperature": "0.25", "maxOutputTokens": 99, "systemPrompt": "Be brief."}
    async with running_app(section) as app:
        await app.ask()
    body = server.requests[0].body
    assert (body["temperature"], body["max_tokens"], body["stream"]) == (0.25, 99, True)
    assert body["messages"][0]["role"] == "system"
    assert body["messages"][0]["content"].startswith("Be brief.")
    async with running_app(openai(server, maxTokensParameter="MaxCompletionTokens")) as app:
        await app.ask()
    body = server.requests[1].body
    assert "temperature" not in body
    assert "max_tokens" not in body
    assert body["max_completion_tokens"] == 800


async def test_settings_reach_anthropic(server: LLMServer) -> None:
    async with running_app({**anthropic(server), "temperature": "0.25", "maxOutputTokens": 99}) as app:
        await app.ask()
    request = server.requests[0]
    assert (request.body["temperature"], request.body["max_tokens"]) == (0.25, 99)
    # The API's later versions, which the library asks for by itself, take no temperature.
    assert request.headers["anthropic-version"] == "2023-06-01"
    assert request.body["system"].startswith("You answer")
    async with running_app(anthropic(server)) as app:
        await app.ask()
    assert "temperature" not in server.requests[1].body
    assert server.requests[1].headers["anthropic-version"] > "2023-06-01"


@APIS
async def test_the_key_is_sent_and_no_other(
    api: Any, server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN"):
        monkeypatch.setenv(name, "sk-from-the-environment")
    async with running_app(api(server)) as app:
        await app.ask()
    keyless = api(server)
    next(value for value in keyless.values() if isinstance(value, dict)).pop("apiKeySecretRef")
    async with running_app(keyless) as app:
        assert (await app.ask()).status_code == 200
    with_key, without_key = server.requests
    assert with_key.headers["authorization"] == "Bearer sk-test-5a1b0c-secret"
    assert "authorization" not in without_key.headers
    assert "x-api-key" not in without_key.headers
    assert "sk-from-the-environment" not in str([request.headers for request in server.requests])


@APIS
async def test_no_log_holds_the_key(api: Any, server: LLMServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.script("first", Script(status=401, error=f"bad key {KEY}"), Script())
    async with running_app(api(server)) as app:
        for _ in range(2):
            await app.ask()
    assert "POST" in caplog.text
    assert KEY not in caplog.text


async def test_nothing_found_asks_nobody(server: LLMServer) -> None:
    async with running_app(openai(server), texts=()) as app:
        reply = (await app.ask()).json()
        found = await streamed(app)
    assert server.requests == []
    assert (reply["answer"], reply["model"], reply["confidence"]) == (
        "I can't find that in the documents.",
        "none",
        0.0,
    )
    assert [name for name, _ in found] == ["sources", "content", "done"]


@APIS
async def test_a_model_that_finds_nothing_says_so(api: Any, server: LLMServer) -> None:
    server.script("first", Script(pieces=("i can\u2019t find that", " in the documents")))
    async with running_app(api(server)) as app:
        reply = (await app.ask()).json()
        assert app.value("ragfleet_answers_total", outcome="no_answer") == 1
    assert (reply["citations"], reply["confidence"], reply["degraded"]) == ([], 0.0, [])


async def test_what_is_over_the_budget_is_no_source(server: LLMServer) -> None:
    texts = [f"Part {n}. " + "Keys are issued at the service desk. " * 20 for n in range(8)]
    async with running_app({**openai(server), "contextTokens": 600}, texts=texts) as app:
        reply = (await app.ask()).json()
    assert reply["retrieval_count"] == 8
    assert [source["n"] for source in reply["sources"]] == [1, 2]
    told = server.requests[0].body["messages"][-1]["content"]
    assert ("Part 1." in told, "Part 2." in told) == (True, False)


async def test_a_first_source_over_the_budget_is_cut_in_the_reply_too(server: LLMServer) -> None:
    texts = ["Keys are issued at the service desk. " * 200]
    async with running_app({**openai(server), "contextTokens": 256}, texts=texts) as app:
        (source,) = (await app.ask()).json()["sources"]
    assert texts[0].startswith(source["text"])
    assert source["text"].endswith("desk.")
    assert source["end"] - source["start"] == len(source["text"]) < 1200


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"query": " "}, "invalid-query"),
        ({"conversation": [{"role": "system", "content": "x"}]}, "invalid-request"),
        ({"conversation": [{"role": "user", "content": ""}]}, "invalid-request"),
        ({"conversation": [{"role": "user", "content": "x\0"}]}, "invalid-request"),
        ({"conversation": [{"role": "user", "content": "x", "name": "y"}]}, "invalid-request"),
        ({"conversation": [{"role": "user", "content": "x"}] * 65}, "invalid-request"),
        ({"conversation": [{"role": "user", "content": "x" * 32769}]}, "invalid-request"),
        ({"conversation": [{"role": "user", "content": "x" * 32768}] * 5}, "invalid-request"),
    ],
)
async def test_a_bad_request_is_a_problem_on_both_routes(
    fields: dict[str, Any], path: str, server: LLMServer
) -> None:
    async with running_app(openai(server)) as app:
        for route in ("/query", "/query/stream"):
            reply = await app.client.post(route, json={**ASKED, **fields})
            assert (reply.status_code, reply.json()["type"].rsplit("/")[-1]) == (422, path)
            if path == "invalid-request":
                assert reply.json()["detail"].startswith("conversation")
    assert server.requests == []


async def test_streams_are_described(server: LLMServer) -> None:
    async with running_app(openai(server)) as app:
        schema = (await app.client.get("/openapi.json")).json()
    content = schema["paths"]["/query/stream"]["post"]["responses"]["200"]["content"]
    assert list(content) == ["text/event-stream"]
    assert "event: done" in content["text/event-stream"]["example"]


async def test_metrics_of_an_answer(server: LLMServer) -> None:
    async with running_app(openai(server)) as app:
        await app.ask()
        await streamed(app)
        for stage in ("retrieve", "generate"):
            assert app.value("ragfleet_stage_seconds_count", stage=stage) == 2
        assert app.value("ragfleet_first_token_seconds_count", generator="openai") == 2
        assert app.value("ragfleet_tokens_total", generator="openai", kind="completion") == 8
        assert app.value("ragfleet_answers_total", outcome="answered") == 2


async def test_many_streams_at_once_are_whole(server: LLMServer) -> None:
    server.script("first", Script(pieces=PIECES * 10, between=0.005))
    async with running_app(openai(server)) as app:
        limits = httpx.Limits(max_connections=32)
        async with httpx.AsyncClient(base_url=app.client.base_url, limits=limits, timeout=60) as client:
            crowd = RunningApp(client, app.metrics, app.retriever)
            replies = await asyncio.gather(*(streamed(crowd) for _ in range(32)))
    expected = "".join(PIECES * 10)
    for found in replies:
        assert "".join(data["content"] for name, data in found if name == "content") == expected
