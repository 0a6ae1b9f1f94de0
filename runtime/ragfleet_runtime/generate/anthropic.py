"""Models behind Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any

import anthropic
from anthropic import AsyncAPIResponse

from ragfleet_api.config.models import AnthropicConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.chat import Ended, Reply
from ragfleet_runtime.generate.connection import TIMEOUT, Connection
from ragfleet_runtime.generate.faults import Endpoint, no_end, stream_error
from ragfleet_runtime.generate.model import Usage
from ragfleet_runtime.generate.prompt import Prompt
from ragfleet_runtime.generate.wire import OutputLimit, parsed, tokens
from ragfleet_runtime.secrets import SecretSource

# The last version of the API that takes a temperature, from the models that still do. Later ones, which the
# library asks for by itself, refuse it: it is only asked for where a temperature is configured.
_VERSION_WITH_TEMPERATURE = "2023-06-01"
_NO_KEY = "none"
_UNWANTED_ENDS: Mapping[str, str] = {
    "refusal": "the model refused to answer",
    "tool_use": "the model asked for a tool instead of answering (tool_use)",
    "pause_turn": "the model paused instead of answering (pause_turn)",
}
_CUT_ENDS = frozenset({"max_tokens", "model_context_window_exceeded"})


class AnthropicModel:
    """A ChatModel by Anthropic's client library."""

    def __init__(
        self, config: AnthropicConfig, temperature: float | None, secrets: SecretSource, *, has_fallback: bool
    ) -> None:
        self._config = config
        self._temperature = temperature
        self._connection = Connection(
            config,
            secrets,
            has_fallback=has_fallback,
            status_error=anthropic.APIStatusError,
            connection_error=anthropic.APIConnectionError,
        )
        # The key is set for each request, as it is then; a key in the environment is for something else.
        self._client = anthropic.AsyncAnthropic(
            api_key=_NO_KEY,
            base_url=config.base_url,
            max_retries=0,
            timeout=TIMEOUT,
            http_client=anthropic.DefaultAioHttpClient(),
            open_telemetry=False,
        )
        # Kept, since the library loads this part of itself when it is first asked for.
        self._create = self._client.messages.with_streaming_response.create

    @property
    def name(self) -> str:
        """See ChatModel."""
        return self._config.name

    def reply(self, prompt: Prompt, max_tokens: int, deadline: Deadline) -> Reply:
        """See ChatModel."""
        body = {
            "system": prompt.system,
            "messages": [{"role": turn.role, "content": turn.content} for turn in prompt.turns],
            **({} if self._temperature is None else {"temperature": self._temperature}),
        }
        return self._connection.reply(
            lambda key: self._request(body, max_tokens, key),
            lambda endpoint, key: _Reading(endpoint, key, OutputLimit(max_tokens), endpoint.model),
            deadline,
        )

    async def aclose(self) -> None:
        """See ChatModel."""
        await self._client.close()

    def _request(
        self, body: Mapping[str, Any], max_tokens: int, key: str | None
    ) -> AbstractAsyncContextManager[AsyncAPIResponse[Any]]:
        # Not given with the headers of the request, which the library writes to its debug log.
        self._client.api_key = key or _NO_KEY
        # What is in extra_body is sent as it is; the library's own parameters are checked member by member.
        return self._create(
            model=self._config.model,
            max_tokens=max_tokens,
            messages=(),
            stream=True,
            extra_body=body,
            extra_headers=self._headers(key),
        )

    def _headers(self, key: str | None) -> dict[str, Any]:
        headers: dict[str, Any] = {} if key else {"Authorization": anthropic.Omit()}
        if self._temperature is not None:
            headers["anthropic-version"] = _VERSION_WITH_TEMPERATURE
        return headers


@dataclass
class _Reading:
    """See Reading."""

    endpoint: Endpoint
    key: str | None
    limit: OutputLimit
    model: str
    finish: str | None = None
    usage: Usage = field(default_factory=Usage)
    is_over: bool = False
    is_cut: bool = False

    def text_of(self, payload: bytes) -> str:
        """See Reading."""
        event = parsed(payload, self.endpoint)
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._text(event.get("delta") or {})
        if kind == "message_start":
            message = event.get("message") or {}
            self.model = message.get("model") or self.model
            self._count(message.get("usage") or {})
        elif kind == "message_delta":
            self._count(event.get("usage") or {})
            self._end(event.get("delta") or {})
        elif kind == "message_stop":
            self.is_over = True
        elif kind == "error":
            error = event.get("error") or {}
            raise stream_error(self.endpoint, str(error.get("type")), error.get("message", ""), self.key)
        return ""

    def rest(self) -> str:
        """See Reading."""
        return ""

    def ended(self, content_type: str) -> Ended:
        """See Reading."""
        if not (self.finish or self.is_cut):
            raise no_end(self.endpoint, content_type)
        return Ended(self.model, self.usage, self.is_cut or self.finish in _CUT_ENDS)

    def _text(self, delta: dict[str, Any]) -> str:
        text: str = delta.get("text") or ""
        if self.limit.is_over(text or delta.get("thinking") or ""):
            self.is_over = self.is_cut = True
        return text

    def _end(self, delta: dict[str, Any]) -> None:
        self.finish = delta.get("stop_reason") or self.finish
        if unwanted := _UNWANTED_ENDS.get(self.finish or ""):
            category = (delta.get("stop_details") or {}).get("category")
            raise self.endpoint.fault("bad_response", f"{unwanted} ({category})" if category else unwanted)

    def _count(self, usage: dict[str, Any]) -> None:
        read = [usage.get(f"{kind}input_tokens") for kind in ("", "cache_creation_", "cache_read_")]
        prompt = sum(map(tokens, read)) or self.usage.prompt_tokens
        self.usage = Usage(prompt, tokens(usage.get("output_tokens")) or self.usage.completion_tokens)
