"""The dense vectors of documents' chunks."""

from __future__ import annotations

from collections.abc import Sequence

from ragfleet_runtime.embed.model import Embedder, Vector
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.index.engine import indexed_text
from ragfleet_runtime.ingest.analyse import Analysed


class ChunkEmbedding:
    """Embeds chunks by what is searched of them; without a model there are no vectors."""

    def __init__(self, embedder: Embedder | None) -> None:
        self._embedder = embedder

    async def all(self, documents: Sequence[Analysed]) -> Sequence[Sequence[Vector] | None]:
        """The vectors of each document's chunks, computed together. Raises ProviderError."""
        if self._embedder is None:
            return [None] * len(documents)
        texts = [_texts(document) for document in documents]
        vectors = iter(await self._embedder.embed_documents([text for own in texts for text in own]))
        return [[next(vectors) for _ in own] for own in texts]

    async def each(self, documents: Sequence[Analysed]) -> Sequence[Sequence[Vector] | ProviderError | None]:
        """The vectors of each document's chunks, or the error that kept it from having them."""
        try:
            return await self.all(documents)
        except ProviderError as error:
            if len(documents) <= 1 or error.fault != "invalid_request":
                return [error] * len(documents)
        # A text that the model refuses must not take its neighbours with it.
        return [one for document in documents for one in await self.each([document])]


def _texts(document: Analysed) -> list[str]:
    text = document.prepared.parsed.text
    return [
        indexed_text(document.title, chunk.headings, text[chunk.start : chunk.end])
        for chunk in document.prepared.chunks
    ]
