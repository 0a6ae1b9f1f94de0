"""The model server of the tests speaks as the client libraries' own models say."""

from __future__ import annotations

import anthropic
import openai
import pytest
from anthropic.types import Message, RawMessageStreamEvent
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from pydantic import TypeAdapter

from support.llm_server import PIECES, Script, llm_server
from support.llm_wire import anthropic_wire, openai_wire

pytestmark = pytest.mark.anyio
ASKED = {"stream_options": {"include_usage": True}}


def data(events: bytes) -> list[bytes]:
    return [
        line[6:] for line in events.split(b"\n") if line.startswith(b"data: ") and line != b"data: [DONE]"
    ]


def test_openai_events_and_replies_are_valid() -> None:
    wire = openai_wire()
    ends = wire.end("m", None, 4, asked=ASKED, without="")
    sent = b"".join((wire.start("m"), wire.thinking("m", "hm"), wire.content("m", "x"), *ends))
    chunks = [ChatCompletionChunk.model_validate_json(one) for one in data(sent)]
    assert chunks[-1].usage is not None
    assert sent.endswith(b"data: [DONE]\n\n")
    ChatCompletion.model_validate_json(wire.whole("m", PIECES, None))


def test_anthropic_events_and_replies_are_valid() -> None:
    wire = anthropic_wire()
    ends = wire.end("m", None, 4, asked={}, without="")
    sent = b"".join((wire.start("m"), wire.thinking("m", "hm"), wire.content("m", "x"), *ends))
    events = TypeAdapter(RawMessageStreamEvent)
    kinds = [events.validate_json(one).type for one in data(sent) if one != b'{"type": "ping"}']
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]
    Message.model_validate_json(wire.whole("m", PIECES, None))


async def test_the_client_libraries_read_its_replies() -> None:
    async with llm_server() as server:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        async with openai.AsyncOpenAI(
            api_key="x", base_url=f"{server.url}/v1", _strict_response_validation=True
        ) as client:
            whole = await client.chat.completions.create(**asked)  # type: ignore[call-overload]
            assert whole.choices[0].message.content == "".join(PIECES)
            stream = await client.chat.completions.create(**asked, **ASKED, stream=True)  # type: ignore[call-overload]
            chunks = [chunk async for chunk in stream]
            texts = [chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices]
            assert "".join(texts) == "".join(PIECES)
            assert chunks[-1].usage.completion_tokens == len(PIECES)
        async with anthropic.AsyncAnthropic(
            api_key="x", base_url=server.url, _strict_response_validation=True
        ) as claude:
            reply = await claude.messages.create(**asked, max_tokens=9)  # type: ignore[call-overload]
            assert reply.content[0].text == "".join(PIECES)
            async with claude.messages.stream(**asked, max_tokens=9) as events:  # type: ignore[arg-type]
                assert await events.get_final_text() == "".join(PIECES)


async def test_the_client_libraries_know_its_errors() -> None:
    async with llm_server() as server:
        asked = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
        async with openai.AsyncOpenAI(api_key="x", base_url=f"{server.url}/v1", max_retries=0) as client:
            server.script("m", Script(status=404, error="no model m"))
            with pytest.raises(openai.NotFoundError, match="no model m"):
                await client.chat.completions.create(**asked)  # type: ignore[call-overload]
        async with anthropic.AsyncAnthropic(api_key="x", base_url=server.url, max_retries=0) as claude:
            server.script("m", Script(status=529, error="busy"))
            with pytest.raises(anthropic.InternalServerError) as caught:
                await claude.messages.create(**asked, max_tokens=9)  # type: ignore[call-overload]
            assert (caught.value.type, caught.value.api_message) == ("overloaded_error", "busy")
