"""A conversation counts in retrieval and in the answer."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from support.llm_app import anthropic, openai, running_app
from support.llm_server import LLMServer, Script, llm_server

pytestmark = pytest.mark.anyio

SAID = [
    {"role": "user", "content": "How do I enable versioning of a bucket?"},
    {"role": "assistant", "content": "With the command `bucket versioning on`. [2]"},
]
TEXTS = (
    "Versioning of a bucket is enabled by the command bucket versioning on.",
    "To undo versioning of a bucket, use the command bucket versioning off.",
)
APIS = pytest.mark.parametrize("api", [openai, anthropic], ids=["openai", "anthropic"])


@pytest.fixture
async def server() -> AsyncIterator[LLMServer]:
    async with llm_server() as running:
        yield running


@APIS
async def test_a_model_rewrites_the_follow_up(api: Any, server: LLMServer) -> None:
    server.script("first", Script(pieces=('"How do I undo', ' versioning?"\n')), Script())
    async with running_app(api(server), texts=TEXTS) as app:
        reply = (await app.ask("And how do I undo it?", conversation=SAID)).json()
        (searched,) = app.retriever.asked
        assert app.value("ragfleet_stage_seconds_count", stage="rewrite") == 1
    assert searched.question == "How do I undo versioning?"
    assert reply["degraded"] == []
    asked, answered = (request.body for request in server.requests)
    assert "Write that question" in str(asked.get("system") or asked["messages"][0]["content"])
    assert asked["max_tokens"] < answered["max_tokens"]
    assert "And how do I undo it?" in asked["messages"][-1]["content"]
    # The answer is made for the question as it was asked, after what was said.
    turns = [message for message in answered["messages"] if message["role"] != "system"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"]
    assert turns[0]["content"] == SAID[0]["content"]
    assert turns[1]["content"] == "With the command `bucket versioning on`."
    assert turns[2]["content"].endswith("And how do I undo it?")


async def test_without_a_conversation_nothing_is_rewritten(server: LLMServer) -> None:
    async with running_app(openai(server)) as app:
        await app.ask("Where?", conversation=[])
        assert app.retriever.asked[0].question == "Where?"
    assert len(server.requests) == 1


@APIS
@pytest.mark.parametrize(
    "script",
    [
        Script(status=500),
        Script(status=401),
        Script(before_headers=60),
        Script(pieces=()),
        Script(pieces=("word ",), endless=True),
        Script(closes_after=1),
    ],
    ids=["500", "401", "slow", "empty", "endless", "broken"],
)
async def test_where_the_model_fails_to_rewrite_the_words_stand_in(
    script: Script, api: Any, server: LLMServer
) -> None:
    # A fault that passes is tried three times.
    server.script("first", *[script] * (3 if script.status == 500 else 1), Script())
    async with running_app(api(server), texts=TEXTS, deadline=4) as app:
        start = time.monotonic()
        reply = (await app.ask("And how do I undo it?", conversation=SAID)).json()
        assert time.monotonic() - start < 2
        (searched,) = app.retriever.asked
    assert searched.question.startswith("And how do I undo it? undo")
    assert "versioning" in searched.question
    assert reply["degraded"] == ["rewrite"]
    assert reply["answer"].startswith("Keys are issued")


async def test_the_extractive_generator_answers_the_follow_up() -> None:
    async with running_app({"type": "Extractive"}, texts=TEXTS) as app:
        reply = (await app.ask("And how do I undo it?", conversation=SAID)).json()
        assert "versioning" in app.retriever.asked[0].question
    assert "To undo versioning of a bucket, use the command bucket versioning off. [2]" in reply["answer"]
    assert reply["confidence"] > 0.5
    assert reply["degraded"] == []


async def test_the_extractive_fallback_answers_what_the_model_rewrote(server: LLMServer) -> None:
    server.script("first", Script(pieces=("How do I undo versioning of a bucket?",)), Script(status=401))
    section = {**openai(server), "fallbacks": [{"name": "quote", "type": "Extractive"}]}
    async with running_app(section, texts=TEXTS) as app:
        reply = (await app.ask("And how do I undo it?", conversation=SAID)).json()
    assert reply["degraded"] == ["generation:openai:unauthorized"]
    assert reply["answer"].startswith("To undo versioning")


async def test_a_long_conversation_loses_its_oldest_turns(server: LLMServer) -> None:
    said = [{"role": "user", "content": f"Question {n}. " + "word " * 50} for n in range(20)]
    server.script("first", Script(pieces=("Standalone?",)), Script())
    async with running_app({**openai(server), "contextTokens": 600}, texts=TEXTS) as app:
        await app.ask("And then?", conversation=said)
    told = str(server.requests[1].body["messages"])
    assert "Question 19." in told
    assert "Question 10." not in told
