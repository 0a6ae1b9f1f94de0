"""What the clients of the two APIs share: the way to a provider, its key, and what goes wrong there."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, contextmanager
from typing import Any, Protocol

import aiohttp
import httpx2

from ragfleet_api.config.models import AnthropicConfig, OpenAIConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.chat import Ended, Reply, persistent
from ragfleet_runtime.generate.faults import Endpoint, broken_off, said_in, status_error, unreachable
from ragfleet_runtime.generate.keys import key_of
from ragfleet_runtime.generate.wire import drain, payloads
from ragfleet_runtime.secrets import SecretSource

# For each request. An answer may take as long as its deadline allows, which its caller sees to.
TIMEOUT = httpx2.Timeout(None, connect=5.0)


class Begun(Protocol):
    """A library's response whose headers are there, and whose body isn't yet."""

    http_response: httpx2.Response


class Reading(Protocol):
    """What is known of a reply while its events come. is_over: no more of them are wanted."""

    is_over: bool

    def text_of(self, payload: bytes) -> str:
        """The text in an event. Raises ProviderError for an error in it, or an end that is no answer."""

    def rest(self) -> str:
        """Text that was held back."""

    def ended(self, content_type: str) -> Ended:
        """The end of the reply. Raises ProviderError where the stream ended before it."""


Request = Callable[[str | None], AbstractAsyncContextManager[Begun]]


class Connection:
    """A model's provider, reached by a client library.

    status_error, connection_error: what the library raises for a status that isn't 200, and for a connection
    that couldn't be made.
    """

    def __init__(
        self,
        config: OpenAIConfig | AnthropicConfig,
        secrets: SecretSource,
        *,
        has_fallback: bool,
        status_error: type[Exception],
        connection_error: type[Exception],
    ) -> None:
        self.endpoint = Endpoint(config.name, config.model, config.base_url, config.api_key)
        self._secrets = secrets
        self._has_fallback = has_fallback
        self._status_error = status_error
        self._unreachable = (connection_error, aiohttp.ClientError)

    def reply(
        self, request: Request, reading: Callable[[Endpoint, str | None], Reading], deadline: Deadline
    ) -> Reply:
        """The reply to a request, as of ``persistent``. Both functions get the key as it is then."""
        return persistent(lambda: self._exchange(request, reading), deadline, has_fallback=self._has_fallback)

    async def _exchange(self, request: Request, reading: Callable[[Endpoint, str | None], Reading]) -> Reply:
        key = key_of(self.endpoint, self._secrets)
        read = reading(self.endpoint, key)
        with self._faults_told(key):
            async with (
                request(key) as begun,
                aclosing(payloads(begun.http_response.aiter_bytes(), self.endpoint)) as events,
            ):
                async for payload in events:
                    if text := read.text_of(payload):
                        yield text
                    if read.is_over:
                        break
                if rest := read.rest():
                    yield rest
                yield read.ended(begun.http_response.headers.get("content-type", ""))
                await drain(events)

    @contextmanager
    def _faults_told(self, key: str | None) -> Iterator[None]:
        """Make a ProviderError of what the library and its connection raise. key: the secret that is sent."""
        try:
            yield
        except self._status_error as error:
            failed: Any = error
            said, headers = said_in(failed.body), failed.response.headers
            raise status_error(self.endpoint, failed.status_code, said, headers, key) from None
        except self._unreachable as error:
            raise unreachable(self.endpoint, error, key) from None
        except httpx2.HTTPError as error:
            raise broken_off(self.endpoint, error, key) from None
