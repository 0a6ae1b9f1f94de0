"""An embedding service for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, Protocol

from ragfleet_api.config.models import EmbeddingConfig, RemoteEmbeddingConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.attempts import attempts
from ragfleet_runtime.embed.coalesce import Coalescer
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.embed.vectors import VectorRules, is_unicode, prefixed
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.lanes import Lane

Kind = Literal["query", "document"]

# An answer of this size takes 2 ms to read; larger ones are read in a thread, beside the loop.
_READ_AT_ONCE = 128 * 1024


class EmbeddingAPI(Protocol):
    """One provider's wire format. Raises ProviderError."""

    async def embed(self, texts: Sequence[str], kind: Kind) -> bytes:
        """The body of the answer to one call, tried once. Its time is limited by the caller."""

    def rows(self, body: bytes) -> Sequence[Any]:
        """The vectors in an answer's body, in the order of the texts, not checked. Raises ProviderError."""

    async def aclose(self) -> None:
        """Close the connections."""


class RemoteEmbedder:
    """An Embedder over a provider's API.

    At most ``max_concurrency`` calls are under way. Documents leave one of them to questions, unless there is
    only one, so that a question doesn't wait for an ingestion.
    """

    def __init__(
        self,
        name: str,
        api: EmbeddingAPI,
        config: EmbeddingConfig,
        provider: RemoteEmbeddingConfig,
        most_texts: int,
    ) -> None:
        """name: of the provider, for messages. most_texts: in one call."""
        self._name = name
        self._api = api
        self._config = config
        self._provider = provider
        self._most_texts = most_texts
        self._rules = VectorRules(name, config.dimensions, config.normalize)
        self._calls = asyncio.Semaphore(provider.max_concurrency)
        self._document_calls = asyncio.Semaphore(max(1, provider.max_concurrency - 1))
        self._reading = Lane("embed-read", 1)
        self._coalescer = Coalescer(
            name,
            partial(self._call, "query"),
            most_texts=most_texts,
            most_calls=provider.max_concurrency,
        )

    async def embed_query(self, text: str, deadline: Deadline) -> Vector:
        """A question's vector; questions that arrive together go in one call. Raises ProviderError."""
        return await self._coalescer.embed(self._config.query_prefix + text, deadline)

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each chunk, in batches; the first to fail stops the others. Raises ProviderError."""
        ready = prefixed(self._config.document_prefix, texts)
        size = self._most_texts
        try:
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(self._batch(ready[start : start + size]))
                    for start in range(0, len(ready), size)
                ]
        except ExceptionGroup as group_error:
            raise group_error.exceptions[0] from None
        return [vector for task in tasks for vector in task.result()]

    async def aclose(self) -> None:
        """Stop the questions under way and close the connections."""
        await self._coalescer.aclose()
        await self._api.aclose()
        await asyncio.to_thread(self._reading.close)

    async def _batch(self, texts: list[str]) -> list[Vector]:
        async with self._document_calls:
            # As long as every try may take; a pause that the provider asks for has to fit in.
            seconds = self._provider.timeout_seconds * (self._provider.max_retries + 1)
            return await self._call("document", texts, Deadline(seconds))

    async def _call(self, kind: Kind, texts: list[str], deadline: Deadline) -> list[Vector]:
        if not is_unicode(texts):
            raise ProviderError(self._name, "invalid_request", "a text isn't valid Unicode")
        async with self._calls:
            body = await attempts(
                partial(self._api.embed, texts, kind),
                provider=self._name,
                retries=self._provider.max_retries,
                seconds=self._provider.timeout_seconds,
                deadline=deadline,
            )
        if len(body) <= _READ_AT_ONCE:
            return self._vectors(body, len(texts))
        return await self._reading.run(self._vectors, body, len(texts))

    def _vectors(self, body: bytes, texts: int) -> list[Vector]:
        # JSON has whole numbers without a point, which engines don't take for a vector's.
        return [list(map(float, row)) for row in self._rules.ready(self._api.rows(body), texts)]
