"""Models behind OpenAI's chat completions: OpenAI itself, and every server that is compatible with it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx2
import openai

from ragfleet_api.config.models import OpenAIConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.chat import Ended, Reply, persistent
from ragfleet_runtime.generate.faults import (
    Endpoint,
    broken_off,
    cleaned,
    no_end,
    status_error,
    stream_error,
    unreachable,
)
from ragfleet_runtime.generate.keys import key_of
from ragfleet_runtime.generate.model import Usage
from ragfleet_runtime.generate.prompt import Prompt
from ragfleet_runtime.generate.thinking import ThinkingFilter
from ragfleet_runtime.generate.wire import OutputLimit, drain, parsed, payloads, tokens
from ragfleet_runtime.secrets import SecretSource

_CONNECT_SECONDS = 5.0
_UNWANTED_ENDS: Mapping[str, str] = {
    "content_filter": "the provider's content filter withheld the answer (content_filter)",
    "tool_calls": "the model asked for a tool instead of answering (tool_calls)",
    "function_call": "the model asked for a function instead of answering (function_call)",
}


class OpenAIModel:
    """A ChatModel by OpenAI's client library."""

    def __init__(
        self, config: OpenAIConfig, temperature: float | None, secrets: SecretSource, *, has_fallback: bool
    ) -> None:
        self._config = config
        self._endpoint = Endpoint(config.name, config.model, config.base_url, config.api_key)
        self._temperature = temperature
        self._secrets = secrets
        self._has_fallback = has_fallback
        self._asks_usage = True
        # The key is sent with each request, as it is then; a key in the environment is for something else.
        self._client = openai.AsyncOpenAI(
            api_key="sent-with-each-request",
            base_url=config.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(None, connect=_CONNECT_SECONDS),
        )
        # Kept, since the library loads this part of itself when it is first asked for.
        self._create = self._client.chat.completions.with_streaming_response.create

    @property
    def name(self) -> str:
        """See ChatModel."""
        return self._config.name

    def reply(self, prompt: Prompt, max_tokens: int, deadline: Deadline) -> Reply:
        """See ChatModel."""
        body = {
            "messages": [
                {"role": "system", "content": prompt.system},
                *({"role": turn.role, "content": turn.content} for turn in prompt.turns),
            ],
            self._config.max_tokens_parameter: max_tokens,
            **({} if self._temperature is None else {"temperature": self._temperature}),
        }
        return persistent(lambda: self._ask(body, max_tokens), deadline, has_fallback=self._has_fallback)

    async def aclose(self) -> None:
        """See ChatModel."""
        await self._client.close()

    async def _ask(self, body: Mapping[str, Any], max_tokens: int) -> Reply:
        key = key_of(self._endpoint, self._secrets)
        reading = _Reading(self._endpoint, key, OutputLimit(max_tokens), self._config.model)
        while True:
            asked_usage = self._asks_usage
            try:
                async with aclosing(self._exchange(body, key, reading, asks_usage=asked_usage)) as reply:
                    async for item in reply:
                        yield item
            except openai.APIStatusError as error:
                if asked_usage and _names_stream_options(error):
                    self._asks_usage = False
                    continue
                raise status_error(
                    self._endpoint, error.status_code, _said(error), error.response.headers, key
                ) from None
            except openai.APIConnectionError as error:
                raise unreachable(self._endpoint, error, key) from None
            except httpx2.HTTPError as error:
                raise broken_off(self._endpoint, error, key) from None
            return

    async def _exchange(
        self, body: Mapping[str, Any], key: str | None, reading: _Reading, *, asks_usage: bool
    ) -> Reply:
        options = {"stream_options": {"include_usage": True}} if asks_usage else {}
        # What is in extra_body is sent as it is; the library's own parameters are checked member by member.
        async with (
            self._create(
                model=self._config.model,
                messages=(),
                stream=True,
                extra_body={**body, **options},
                extra_headers={"Authorization": f"Bearer {key}" if key else openai.Omit()},
            ) as response,
            aclosing(payloads(response.iter_bytes(), self._endpoint)) as events,
        ):
            async for payload in events:
                text = reading.text_of(payload)
                if text:
                    yield text
                if reading.is_over:
                    break
            rest = reading.rest()
            if rest:
                yield rest
            yield reading.ended(response.headers.get("content-type", ""))
            await drain(events)


@dataclass
class _Reading:
    """What is known of a reply while its events come."""

    endpoint: Endpoint
    key: str | None
    limit: OutputLimit
    model: str
    thinking: ThinkingFilter = field(default_factory=ThinkingFilter)
    finish: str | None = None
    usage: Usage = field(default_factory=Usage)
    is_over: bool = False
    is_cut: bool = False

    def text_of(self, payload: bytes) -> str:
        """The text in an event. Raises ProviderError for an error in it, or an end that is no answer."""
        if payload == b"[DONE]":
            self.is_over = True
            return ""
        event = parsed(payload, self.endpoint)
        if error := event.get("error"):
            detail = error if isinstance(error, dict) else {"message": str(error)}
            kind = f"{detail.get('type')} {detail.get('code')}"
            raise stream_error(self.endpoint, kind, detail.get("message", ""), self.key)
        self.model = event.get("model") or self.model
        if usage := event.get("usage"):
            self.usage = Usage(tokens(usage.get("prompt_tokens")), tokens(usage.get("completion_tokens")))
        text = "".join(self._text(choice) for choice in event.get("choices") or ())
        return self.thinking.feed(text)

    def _text(self, choice: dict[str, Any]) -> str:
        delta = choice.get("delta") or {}
        if refusal := delta.get("refusal"):
            raise self.endpoint.fault("bad_response", f"the model refused: {cleaned(refusal, self.key)}")
        self.finish = choice.get("finish_reason") or self.finish
        if unwanted := _UNWANTED_ENDS.get(self.finish or ""):
            raise self.endpoint.fault("bad_response", unwanted)
        text: str = delta.get("content") or ""
        if self.limit.is_over(text or delta.get("reasoning_content") or ""):
            self.is_over = self.is_cut = True
        return text

    def rest(self) -> str:
        """Text that was held back."""
        return self.thinking.finish()

    def ended(self, content_type: str) -> Ended:
        """The end of the reply. Raises ProviderError where the stream ended before it."""
        if not (self.is_over or self.finish):
            raise no_end(self.endpoint, content_type)
        return Ended(self.model, self.usage, self.is_cut or self.finish == "length")


def _names_stream_options(error: openai.APIStatusError) -> bool:
    """Whether a server refuses the request because it doesn't know how to be asked for usage."""
    said = _said(error)
    return error.status_code in (400, 422) and ("stream_options" in said or "include_usage" in said)


def _said(error: openai.APIStatusError) -> str:
    body = error.body
    message = body.get("message") if isinstance(body, dict) else None
    return message if isinstance(message, str) else str(body or "")
