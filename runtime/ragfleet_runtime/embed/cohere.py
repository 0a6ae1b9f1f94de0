"""Embeddings by Cohere's own API: POST {base}/v2/embed.

https://docs.cohere.com/reference/embed
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import httpx
import orjson

from ragfleet_api.config.models import EmbeddingConfig, RemoteEmbeddingConfig
from ragfleet_runtime.embed.answers import Refusals, parse_json
from ragfleet_runtime.embed.keys import bearer
from ragfleet_runtime.embed.remote import Kind
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.secrets import SecretSource

NAME = "Cohere embeddings"

_INPUT_TYPES: Final = {"query": "search_query", "document": "search_document"}


class CohereEmbeddings:
    """An EmbeddingAPI. Makes no call before the first text."""

    def __init__(
        self, config: EmbeddingConfig, provider: RemoteEmbeddingConfig, secrets: SecretSource
    ) -> None:
        self._provider = provider
        self._dimensions = config.dimensions
        self._secrets = secrets
        self._refusals = Refusals(NAME, provider)
        self._address = f"{provider.base_url.rstrip('/')}/v2/embed"
        # Texts go where the pipeline says, and nowhere else.
        self._client = httpx.AsyncClient(timeout=provider.timeout_seconds, follow_redirects=False)

    async def embed(self, texts: Sequence[str], kind: Kind) -> bytes:
        """The answer's body; Cohere's models embed questions and documents in different ways."""
        body: dict[str, Any] = {
            "model": self._provider.model,
            "texts": list(texts),
            "input_type": _INPUT_TYPES[kind],
            "embedding_types": ["float"],
        }
        if self._dimensions is not None:
            body["output_dimension"] = self._dimensions
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if (authorization := bearer(NAME, self._secrets, self._provider.api_key)) is not None:
            headers["Authorization"] = authorization
        try:
            response = await self._client.post(self._address, content=orjson.dumps(body), headers=headers)
        except httpx.TimeoutException:
            raise ProviderError(NAME, "timeout", "no answer in time") from None
        except httpx.HTTPError as error:
            raise self._refusals.unreachable(error) from None
        if not response.is_success:
            raise self._refusals.status(response.status_code, response.headers)
        return response.content

    def rows(self, body: bytes) -> Sequence[Any]:
        """The vectors in the order of the texts, which is the API's."""
        try:
            rows = parse_json(NAME, body)["embeddings"]["float"]
        except (TypeError, KeyError):
            rows = None
        if not isinstance(rows, list):
            raise ProviderError(NAME, "bad_response", "its answer has no embeddings of type float")
        return rows

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()
