"""A local model for coroutines."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.coalesce import Coalescer
from ragfleet_runtime.embed.model import LocalModel, Vector
from ragfleet_runtime.lanes import Lane

# Chunks handed to the thread at once: enough to sort by length, few enough that a cancelled document soon
# stops.
_SLICE = 64


class LocalEmbedder:
    """An Embedder over a local model, with a thread for questions and one for documents."""

    def __init__(self, provider: str, model: LocalModel, batch_size: int) -> None:
        """provider: for messages. batch_size: questions embedded together at most."""
        self._model = model
        self._questions = Lane("embed-question", 1)
        self._documents = Lane("embed-document", 1)
        self._coalescer = Coalescer(provider, self._together, most_texts=batch_size, most_calls=1)

    async def embed_query(self, text: str, deadline: Deadline) -> Vector:
        """A question's vector; questions that arrive together are embedded together. Raises ProviderError."""
        return await self._coalescer.embed(text, deadline)

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each chunk. Raises ProviderError."""
        vectors: list[Vector] = []
        for start in range(0, len(texts), _SLICE):
            part = texts[start : start + _SLICE]
            vectors.extend(await self._documents.run(self._model.embed_documents, part))
        return vectors

    async def aclose(self) -> None:
        """Wait for the running calls and end the threads."""
        await self._coalescer.aclose()
        for lane in (self._questions, self._documents):
            await asyncio.to_thread(lane.close)

    async def _together(self, texts: list[str], _deadline: Deadline) -> list[Vector]:
        return await self._questions.run(self._model.embed_queries, texts)
