"""The wire formats of the model server for tests: server-sent events and whole replies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

PROMPT_TOKENS = 21
_CREATED = 1_790_000_000
_ANTHROPIC_ERRORS = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


class _End(Protocol):
    def __call__(
        self, model: str, finish: str | None, tokens: int, *, asked: Mapping[str, Any], without: str
    ) -> Iterator[bytes]: ...


@dataclass(frozen=True)
class Wire:
    """One API's formats. All give the bytes to send."""

    start: Callable[[str], bytes]
    content: Callable[[str, str], bytes]
    thinking: Callable[[str, str], bytes]
    end: _End
    failure: Callable[[str], bytes]
    whole: Callable[[str, Sequence[str], str | None], bytes]
    error: Callable[[int, str], bytes]


def openai_wire() -> Wire:
    """OpenAI's chat completions (and those of the servers compatible with it)."""

    def chunk(model: str, delta: dict[str, Any], finish: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return _data(_chunk(model, [choice]))

    def end(
        model: str, finish: str | None, tokens: int, *, asked: Mapping[str, Any], without: str
    ) -> Iterator[bytes]:
        if "finish" not in without:
            yield chunk(model, {}, finish or "stop")
        if (asked.get("stream_options") or {}).get("include_usage") and "usage" not in without:
            yield _data({**_chunk(model, []), "usage": _openai_usage(tokens)})
        if "done" not in without:
            yield b"data: [DONE]\n\n"

    def whole(model: str, pieces: Sequence[str], finish: str | None) -> bytes:
        message = {"role": "assistant", "content": "".join(pieces), "refusal": None}
        choice = {"index": 0, "message": message, "finish_reason": finish or "stop", "logprobs": None}
        made = {"id": "chatcmpl-1", "object": "chat.completion", "created": _CREATED, "model": model}
        return json.dumps({**made, "choices": [choice], "usage": _openai_usage(len(pieces))}).encode()

    def error(status: int, message: str) -> bytes:
        fault = {"message": message, "type": "scripted_error", "param": None, "code": str(status)}
        return _body(message, {"error": fault})

    return Wire(
        start=lambda model: chunk(model, {"role": "assistant", "content": ""}),
        content=lambda model, text: chunk(model, {"content": text}),
        thinking=lambda model, text: chunk(model, {"reasoning_content": text}),
        end=end,
        failure=lambda message: _data({"error": {"message": message, "type": "server_error", "code": 500}}),
        whole=whole,
        error=error,
    )


def anthropic_wire() -> Wire:
    """Anthropic's Messages API."""

    def message(model: str, content: list[Any], finish: str | None, tokens: int) -> dict[str, Any]:
        usage = {"input_tokens": PROMPT_TOKENS, "output_tokens": tokens}
        made = {"id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content}
        return {**made, "stop_reason": finish, "stop_sequence": None, "usage": usage}

    def start(model: str) -> bytes:
        begun = _event("message_start", {"message": message(model, [], None, 1)})
        block = {"index": 0, "content_block": {"type": "text", "text": ""}}
        return begun + _event("content_block_start", block) + _event("ping", {})

    def delta(kind: str, name: str, text: str) -> bytes:
        return _event("content_block_delta", {"index": 0, "delta": {"type": kind, name: text}})

    def end(
        model: str, finish: str | None, tokens: int, *, asked: Mapping[str, Any], without: str
    ) -> Iterator[bytes]:
        del model, asked
        yield _event("content_block_stop", {"index": 0})
        if "finish" not in without:
            reason = {"stop_reason": finish or "end_turn", "stop_sequence": None}
            yield _event("message_delta", {"delta": reason, "usage": {"output_tokens": tokens}})
        if "done" not in without:
            yield _event("message_stop", {})

    def whole(model: str, pieces: Sequence[str], finish: str | None) -> bytes:
        content = [{"type": "text", "text": "".join(pieces)}]
        return json.dumps(message(model, content, finish or "end_turn", len(pieces))).encode()

    def error(status: int, text: str) -> bytes:
        fault = {"type": _ANTHROPIC_ERRORS.get(status, "api_error"), "message": text}
        return _body(text, {"type": "error", "error": fault})

    return Wire(
        start=start,
        content=lambda model, text: delta("text_delta", "text", text),
        thinking=lambda model, text: delta("thinking_delta", "thinking", text),
        end=end,
        failure=lambda text: _event("error", {"error": {"type": "overloaded_error", "message": text}}),
        whole=whole,
        error=error,
    )


def _chunk(model: str, choices: list[Any]) -> dict[str, Any]:
    made = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": _CREATED, "model": model}
    return {**made, "choices": choices}


def _openai_usage(tokens: int) -> dict[str, int]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": tokens,
        "total_tokens": PROMPT_TOKENS + tokens,
    }


def _data(value: Any) -> bytes:
    return b"data: " + json.dumps(value, ensure_ascii=False).encode() + b"\n\n"


def _event(name: str, value: dict[str, Any]) -> bytes:
    return f"event: {name}\n".encode() + _data({"type": name, **value})


def _body(text: str, value: dict[str, Any]) -> bytes:
    return text.encode() if text[:1] in ("{", "<") else json.dumps(value).encode()
