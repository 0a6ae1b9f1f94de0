"""Embeddings by OpenAI's API, as many services speak it: POST {base}/embeddings.

https://platform.openai.com/docs/api-reference/embeddings
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from openai import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncOpenAI,
    DefaultAsyncHttpxClient,
    Omit,
    OpenAIError,
    omit,
)

from ragfleet_api.config.models import EmbeddingConfig, RemoteEmbeddingConfig
from ragfleet_runtime.embed.answers import Refusals, parse_json
from ragfleet_runtime.embed.keys import bearer
from ragfleet_runtime.embed.remote import Kind
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.secrets import SecretSource

NAME = "OpenAI embeddings"


class OpenAIEmbeddings:
    """An EmbeddingAPI. Makes no call before the first text."""

    def __init__(
        self, config: EmbeddingConfig, provider: RemoteEmbeddingConfig, secrets: SecretSource
    ) -> None:
        self._provider = provider
        self._dimensions = omit if config.dimensions is None else config.dimensions
        self._secrets = secrets
        self._refusals = Refusals(NAME, provider)
        # The key goes with each call, so that a new one counts at once. Tries and times are our own: the
        # library's retries don't know the deadline, and its timeouts start anew with each byte.
        self._client = AsyncOpenAI(
            api_key="sent with each call",
            base_url=provider.base_url,
            max_retries=0,
            timeout=provider.timeout_seconds,
            # Texts go where the pipeline says, and nowhere else.
            http_client=DefaultAsyncHttpxClient(follow_redirects=False, timeout=provider.timeout_seconds),
        )
        # Taken from the environment otherwise, for whatever address.
        self._client.organization = None
        self._client.project = None

    async def embed(self, texts: Sequence[str], _kind: Kind) -> bytes:
        """The answer's body; the API makes no difference between questions and documents."""
        authorization = bearer(NAME, self._secrets, self._provider.api_key)
        try:
            # The raw answer: the library would check each number of it in Python, on the event loop.
            response = await self._client.embeddings.with_raw_response.create(
                input=list(texts),
                model=self._provider.model,
                dimensions=self._dimensions,
                encoding_format="float",  # the library asks for base64, which not every server knows
                extra_headers={"Authorization": Omit() if authorization is None else authorization},
            )
        except APITimeoutError:
            raise ProviderError(NAME, "timeout", "no answer in time") from None
        except APIConnectionError as error:
            raise self._refusals.unreachable(error) from None
        except APIStatusError as error:
            raise self._refusals.status(error.status_code, error.response.headers, error.code) from None
        except OpenAIError as error:
            raise ProviderError(NAME, "bad_response", f"the call failed ({type(error).__name__})") from None
        return response.content

    def rows(self, body: bytes) -> Sequence[Any]:
        """The vectors in the order of ``index``."""
        try:
            data = parse_json(NAME, body)["data"]
            rows = {item["index"]: item["embedding"] for item in data}
            if len(rows) != len(data):
                raise ProviderError(NAME, "bad_response", "two of its vectors have the same index")
            return [rows[index] for index in sorted(rows)]
        except (TypeError, KeyError):
            raise ProviderError(
                NAME, "bad_response", "its answer has no data with index and embedding"
            ) from None

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()
