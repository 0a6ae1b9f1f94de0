"""Models behind Anthropic's Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2

from ragfleet_api.config.models import AnthropicConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.chat import Ended, Reply, persistent
from ragfleet_runtime.generate.faults import (
    Endpoint,
    broken_off,
    no_end,
    status_error,
    stream_error,
    unreachable,
)
from ragfleet_runtime.generate.keys import key_of
from ragfleet_runtime.generate.model import Usage
from ragfleet_runtime.generate.prompt import Prompt
from ragfleet_runtime.generate.wire import OutputLimit, parsed, payloads, tokens
from ragfleet_runtime.secrets import SecretSource

_CONNECT_SECONDS = 5.0
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
        self._endpoint = Endpoint(config.name, config.model, config.base_url, config.api_key)
        self._temperature = temperature
        self._secrets = secrets
        self._has_fallback = has_fallback
        # The key is set for each request, as it is then; a key in the environment is for something else.
        self._client = anthropic.AsyncAnthropic(
            api_key=_NO_KEY,
            base_url=config.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
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
        return persistent(lambda: self._ask(body, max_tokens), deadline, has_fallback=self._has_fallback)

    async def aclose(self) -> None:
        """See ChatModel."""
        await self._client.close()

    async def _ask(self, body: Mapping[str, Any], max_tokens: int) -> Reply:
        key = key_of(self._endpoint, self._secrets)
        # Not given with the headers of the request, which the library writes to its debug log.
        self._client.api_key = key or _NO_KEY
        reading = _Reading(self._endpoint, key, OutputLimit(max_tokens), self._config.model)
        try:
            async with aclosing(self._exchange(body, max_tokens, key, reading)) as reply:
                async for item in reply:
                    yield item
        except anthropic.APIStatusError as error:
            said = error.api_message or str(error.body or "")
            raise status_error(self._endpoint, error.status_code, said, error.response.headers, key) from None
        except anthropic.APIConnectionError as error:
            raise unreachable(self._endpoint, error, key) from None
        except httpx2.HTTPError as error:
            raise broken_off(self._endpoint, error, key) from None

    async def _exchange(
        self, body: Mapping[str, Any], max_tokens: int, key: str | None, reading: _Reading
    ) -> Reply:
        # What is in extra_body is sent as it is; the library's own parameters are checked member by member.
        async with (
            self._create(
                model=self._config.model,
                max_tokens=max_tokens,
                messages=(),
                stream=True,
                extra_body=body,
                extra_headers=self._headers(key),
            ) as response,
            aclosing(payloads(response.iter_bytes(), self._endpoint)) as events,
        ):
            async for payload in events:
                text = reading.text_of(payload)
                if text:
                    yield text
                if reading.is_cut:
                    break
            yield reading.ended(response.headers.get("content-type", ""))

    def _headers(self, key: str | None) -> dict[str, Any]:
        headers: dict[str, Any] = {} if key else {"Authorization": anthropic.Omit()}
        if self._temperature is not None:
            headers["anthropic-version"] = _VERSION_WITH_TEMPERATURE
        return headers


@dataclass
class _Reading:
    """What is known of a reply while its events come."""

    endpoint: Endpoint
    key: str | None
    limit: OutputLimit
    model: str
    finish: str | None = None
    usage: Usage = field(default_factory=Usage)
    is_cut: bool = False

    def text_of(self, payload: bytes) -> str:
        """The text in an event. Raises ProviderError for an error in it, or an end that is no answer."""
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
        elif kind == "error":
            error = event.get("error") or {}
            raise stream_error(self.endpoint, str(error.get("type")), error.get("message", ""), self.key)
        return ""

    def ended(self, content_type: str) -> Ended:
        """The end of the reply. Raises ProviderError where the stream ended before it."""
        if not (self.finish or self.is_cut):
            raise no_end(self.endpoint, content_type)
        return Ended(self.model, self.usage, self.is_cut or self.finish in _CUT_ENDS)

    def _text(self, delta: dict[str, Any]) -> str:
        text: str = delta.get("text") or ""
        self.is_cut = self.limit.is_over(text or delta.get("thinking") or "")
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
