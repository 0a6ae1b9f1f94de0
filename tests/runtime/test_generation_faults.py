"""Each fault of a model's provider, on the wire: the error, the next generator, and what is named."""

from __future__ import annotations

import socket
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from support.llm_app import KEY, FixedSecrets, anthropic, events, openai, running_app
from support.llm_server import LLMServer, Script, llm_server

pytestmark = pytest.mark.anyio

Api = Callable[..., dict[str, Any]]
QUOTE = {"name": "quote", "type": "Extractive"}
DEADLINE = 1.2

# What the server does, the fault it is, the problem it becomes, and words of its message.
FAULTS: dict[str, tuple[Script, str, str, str]] = {
    "401": (Script(status=401, error=f"bad key {KEY}"), "unauthorized", "provider-failed", "Secret llm"),
    "403": (Script(status=403), "forbidden", "provider-failed", "may not use the model first"),
    "404": (Script(status=404, error="no such model"), "not_found", "provider-failed", "no model first at"),
    "400": (Script(status=400, error="too\nlong"), "invalid_request", "provider-failed", "too long"),
    "429": (Script(status=429), "rate_limited", "provider-busy", "too many requests"),
    "429 later": (
        Script(status=429, headers={"Retry-After": "30"}), "rate_limited", "provider-busy", "too many"
    ),
    "500": (Script(status=500), "unavailable", "provider-busy", "failed (500)"),
    "529": (Script(status=529), "overloaded", "provider-busy", "overloaded (529)"),
    "slow headers": (Script(before_headers=60), "timeout", "deadline-exceeded", "nothing came for"),
    "slow body": (Script(before_first=60), "timeout", "deadline-exceeded", "nothing came for"),
    "closes before it begins": (Script(closes_after=0), "bad_response", "provider-failed", "broke off"),
    "garbage": (Script(garbage_after=0), "bad_response", "provider-failed", "isn't a JSON object"),
    "an error as the first event": (
        Script(fails_after=0, error="busy"), "*", "provider-busy", "failed while it answered: busy"
    ),
    "nothing": (Script(pieces=()), "bad_response", "provider-failed", "an empty answer"),
    "blank": (Script(pieces=(" ", "\n", " [9]")), "bad_response", "provider-failed", "an empty answer"),
    "no end": (
        Script(pieces=(), ends_without="finish and done"), "bad_response", "provider-failed", "broke off"
    ),
    "a page": (
        Script(status=201, error="<html>Log in</html>"), "bad_response", "provider-failed", "text/html"
    ),
}  # fmt: skip
# Those that come only after some text was written.
LATE_FAULTS: dict[str, tuple[Script, str, str]] = {
    "stalls": (Script(stalls_after=2), "timeout", "deadline-exceeded"),
    "breaks off": (Script(closes_after=2), "bad_response", "provider-failed"),
    "garbage": (Script(garbage_after=2), "bad_response", "provider-failed"),
    "an error": (Script(fails_after=2), "*", "provider-busy"),
    "no end": (Script(ends_without="finish and done"), "bad_response", "provider-failed"),
    "never ends": (
        Script(pieces=("word ",), endless=True, between=0.05), "timeout", "deadline-exceeded"
    ),
}  # fmt: skip


@pytest.fixture(params=[openai, anthropic], ids=["openai", "anthropic"])
def api(request: pytest.FixtureRequest) -> Api:
    made: Api = request.param
    return made


@pytest.fixture
async def server() -> AsyncIterator[LLMServer]:
    async with llm_server() as running:
        yield running


def fault_of(named: str, api: Api) -> str:
    """The two APIs name an error within a stream differently."""
    return {"openai": "unavailable", "anthropic": "overloaded"}[api.__name__] if named == "*" else named


@pytest.mark.parametrize("case", FAULTS)
async def test_without_a_fallback_it_is_a_problem(case: str, api: Api, server: LLMServer) -> None:
    script, named, slug, words = FAULTS[case]
    fault = fault_of(named, api)
    server.script("first", script)
    async with running_app(api(server), deadline=DEADLINE) as app:
        start = time.monotonic()
        reply = await app.ask()
        streamed = await app.client.post("/query/stream", json={"query": "Where are keys issued?"})
        assert time.monotonic() - start < 2 * DEADLINE + 0.5
        assert app.value("ragfleet_provider_errors_total", provider=api.__name__, fault=fault) == 2
    for one in (reply, streamed):
        problem = one.json()
        assert one.headers["Content-Type"] == "application/problem+json"
        assert problem["type"].endswith(slug), problem
        assert problem["status"] == one.status_code
        assert words in problem["detail"]
        assert problem["detail"].startswith(f"{api.__name__}: ")
        assert problem["degraded"] == [f"generation:{api.__name__}:{fault}"]
        assert KEY not in one.text
        expected = {"429 later": "30"}.get(case, "5") if one.status_code == 503 else None
        assert one.headers.get("Retry-After") == expected


@pytest.mark.parametrize("case", FAULTS)
async def test_with_a_fallback_the_next_one_answers(case: str, api: Api, server: LLMServer) -> None:
    script, named, _, _ = FAULTS[case]
    server.script("first", script)
    async with running_app({**api(server), "fallbacks": [QUOTE]}, deadline=DEADLINE) as app:
        start = time.monotonic()
        reply = (await app.ask()).json()
        assert time.monotonic() - start < DEADLINE
        async with app.client.stream(
            "POST", "/query/stream", json={"query": "Where are keys issued?"}
        ) as stream:
            found = await events(stream)
    degraded = [f"generation:{api.__name__}:{fault_of(named, api)}"]
    assert (reply["model"], reply["degraded"]) == ("extractive", degraded)
    assert reply["answer"].startswith("Keys are issued at the service desk. [1]")
    assert [name for name, _ in found] == ["sources", "content", "done"]
    assert (found[-1][1]["model"], found[-1][1]["degraded"]) == ("extractive", degraded)


@pytest.mark.parametrize("case", LATE_FAULTS)
async def test_a_fault_within_an_answer(case: str, api: Api, server: LLMServer) -> None:
    script, named, slug = LATE_FAULTS[case]
    fault = fault_of(named, api)
    server.script("first", script)
    async with running_app({**api(server), "fallbacks": [QUOTE]}, deadline=DEADLINE) as app:
        reply = (await app.ask()).json()
        assert reply["model"] == "extractive"
        assert reply["degraded"] == [f"generation:{api.__name__}:{fault}"]
        start = time.monotonic()
        async with app.client.stream(
            "POST", "/query/stream", json={"query": "Where are keys issued?"}
        ) as stream:
            assert stream.status_code == 200
            found = await events(stream)
        assert time.monotonic() - start < DEADLINE + 0.3
    names = [name for name, _ in found]
    assert names[:2] == ["sources", "content"]
    assert names[-1] == "error"
    assert "done" not in names
    problem = found[-1][1]
    assert problem["type"].endswith(slug)
    assert problem["instance"] == "/query/stream"
    assert problem["request_id"]
    assert problem["degraded"] == [f"generation:{api.__name__}:{fault}"]
    # What came before stands.
    text = "".join(data["content"] for name, data in found if name == "content")
    assert "".join([*script.pieces] * 100).startswith(text.strip())


async def test_an_answer_without_end_is_cut_at_its_longest(api: Api, server: LLMServer) -> None:
    server.script("first", Script(pieces=("word ",), endless=True))
    async with running_app({**api(server), "maxOutputTokens": 16}, deadline=DEADLINE) as app:
        reply = (await app.ask()).json()
    assert "truncated" in reply["degraded"]
    assert 16 * 3 < len(reply["answer"]) <= 16 * 12 + len("word ")
    assert server.requests[0].gone_at is not None


@pytest.mark.parametrize(
    ("made", "finish", "words"),
    [
        (openai, "content_filter", "content_filter"),
        (openai, "tool_calls", "tool_calls"),
        (anthropic, "refusal", "refused"),
        (anthropic, "tool_use", "tool_use"),
    ],
)
async def test_an_end_that_is_no_answer_is_told(
    made: Api, finish: str, words: str, server: LLMServer
) -> None:
    server.script("first", Script(finish=finish))
    async with running_app(made(server)) as app:
        reply = await app.ask()
        assert (reply.status_code, words in reply.json()["detail"]) == (502, True)
    async with running_app({**made(server), "fallbacks": [QUOTE]}) as app:
        assert (await app.ask()).json()["degraded"] == [f"generation:{made.__name__}:bad_response"]


@pytest.mark.parametrize(("made", "finish"), [(openai, "length"), (anthropic, "max_tokens")])
async def test_an_answer_at_its_longest_is_named_truncated(made: Api, finish: str, server: LLMServer) -> None:
    server.script("first", Script(finish=finish))
    async with running_app(made(server)) as app:
        assert (await app.ask()).json()["degraded"] == ["truncated"]
        server.script("first", Script(finish=finish, pieces=(), thinking=("Hm",)))
        assert "raise maxOutputTokens" in (await app.ask()).json()["detail"]


async def test_a_busy_provider_is_asked_again(api: Api, server: LLMServer) -> None:
    server.script("first", Script(status=529), Script(status=429, headers={"Retry-After": "0.2"}), Script())
    async with running_app(api(server)) as app:
        reply = (await app.ask()).json()
    assert reply["degraded"] == []
    assert len(server.asked("first")) == 3


async def test_a_provider_that_isnt_there(api: Api, server: LLMServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server.port = taken.getsockname()[1]
    async with running_app(api(server), deadline=DEADLINE) as app:
        reply = await app.ask()
    assert reply.status_code == 503
    assert f"http://127.0.0.1:{server.port}" in reply.json()["detail"]
    assert "can't be reached" in reply.json()["detail"]


async def test_a_missing_key_is_named_and_nobody_is_asked(api: Api, server: LLMServer) -> None:
    secrets = FixedSecrets()
    secrets.values.clear()
    async with running_app({**api(server), "fallbacks": [QUOTE]}, secrets=secrets) as app:
        assert (await app.ask()).json()["degraded"] == [f"generation:{api.__name__}:unauthorized"]
    assert server.requests == []


async def test_models_are_tried_in_their_order(server: LLMServer) -> None:
    server.script("first", Script(status=500))
    server.script("second", Script(before_headers=60))
    fallbacks = [
        {"name": "claude", **anthropic(server, "second")},
        {"name": "third", **openai(server, "third")},
    ]
    async with running_app({**openai(server), "fallbacks": fallbacks}, deadline=DEADLINE) as app:
        reply = (await app.ask()).json()
    assert reply["model"] == "third"
    assert reply["degraded"] == ["generation:openai:unavailable", "generation:claude:timeout"]
    assert reply["answer"] == "Keys are issued at the service desk. [1]"


async def test_an_answer_that_cites_what_isnt_there(api: Api, server: LLMServer) -> None:
    server.script("first", Script(pieces=("Keys are", " issued [", "7", "] at the", " desk [1", ",", " 9].")))
    async with running_app(api(server)) as app:
        reply = (await app.ask()).json()
        assert reply["answer"] == "Keys are issued at the desk [1]."
        assert [citation["n"] for citation in reply["citations"]] == [1]
        server.script("first", Script(pieces=("Keys grow on trees [7].",)))
        reply = (await app.ask()).json()
    assert (reply["answer"], reply["citations"]) == ("Keys grow on trees.", [])
    assert (reply["confidence"], reply["degraded"]) == (0.0, ["uncited"])
