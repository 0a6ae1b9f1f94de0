"""Models behind OpenAI's chat completions: OpenAI itself, and every server that is compatible with it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import openai
from openai import AsyncAPIResponse

from ragfleet_api.config.models import OpenAIConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.chat import Ended, Reply
from ragfleet_runtime.generate.connection import TIMEOUT, Connection
from ragfleet_runtime.generate.faults import Endpoint, cleaned, no_end, said_in, stream_error
from ragfleet_runtime.generate.model import Usage
from ragfleet_runtime.generate.prompt import Prompt
from ragfleet_runtime.generate.thinking import ThinkingFilter
from ragfleet_runtime.generate.wire import OutputLimit, parsed, tokens
from ragfleet_runtime.secrets import SecretSource

_USAGE = {"stream_options": {"include_usage": True}}
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
        self._temperature = temperature
        self._asks_usage = True
        self._connection = Connection(
            config,
            secrets,
            has_fallback=has_fallback,
            status_error=openai.APIStatusError,
            connection_error=openai.APIConnectionError,
        )
        # The key is sent with each request, as it is then; a key in the environment is for something else.
        self._client = openai.AsyncOpenAI(
            api_key="sent-with-each-request",
            base_url=config.base_url,
            max_retries=0,
            timeout=TIMEOUT,
            http_client=openai.DefaultAioHttpClient(),
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
        return self._connection.reply(
            lambda key: self._begun(body, key),
            lambda endpoint, key: _Reading(endpoint, key, OutputLimit(max_tokens), endpoint.model),
            deadline,
        )

    async def aclose(self) -> None:
        """See ChatModel."""
        await self._client.close()

    @asynccontextmanager
    async def _begun(self, body: Mapping[str, Any], key: str | None) -> AsyncIterator[AsyncAPIResponse[Any]]:
        """The reply; where the server doesn't know how to be asked for usage, it is asked without."""
        async with AsyncExitStack() as stack:
            asked = {**body, **_USAGE} if self._asks_usage else body
            try:
                begun = await stack.enter_async_context(self._request(asked, key))
            except openai.APIStatusError as error:
                if asked is body or not _names_stream_options(error):
                    raise
                self._asks_usage = False
                begun = await stack.enter_async_context(self._request(body, key))
            yield begun

    def _request(
        self, body: Mapping[str, Any], key: str | None
    ) -> AbstractAsyncContextManager[AsyncAPIResponse[Any]]:
        # What is in extra_body is sent as it is; the library's own parameters are checked member by member.
        return self._create(
            model=self._config.model,
            messages=(),
            stream=True,
            extra_body=body,
            extra_headers={"Authorization": f"Bearer {key}" if key else openai.Omit()},
        )


@dataclass
class _Reading:
    """See Reading."""

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
        """See Reading."""
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
        text = ""
        for choice in event.get("choices") or ():
            text += self._text(choice)
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
        """See Reading."""
        return self.thinking.finish()

    def ended(self, content_type: str) -> Ended:
        """See Reading."""
        if not (self.is_over or self.finish):
            raise no_end(self.endpoint, content_type)
        return Ended(self.model, self.usage, self.is_cut or self.finish == "length")


def _names_stream_options(error: openai.APIStatusError) -> bool:
    """Whether a server refuses the request because it doesn't know how to be asked for usage."""
    said = said_in(error.body)
    return error.status_code in (400, 422) and ("stream_options" in said or "include_usage" in said)
