"""What makes dense vectors, as the rest of the service sees it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ragfleet_runtime.deadline import Deadline

Vector = list[float]

# Embedded when a collection is made, and again at each start: another vector means another model.
PROBE = "The quick brown fox jumps over the lazy dog."


class LocalModel(Protocol):
    """A model inside the process. Its methods block, and may be called from several threads at once.

    Vectors are checked and ready to be stored: prefixes, normalisation and dimensions are seen to.
    Raises ProviderError.
    """

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that the model reads; the rest is cut off. None where it isn't known."""

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each question, computed together."""

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each chunk, in batches of the configured size."""


class Embedder(Protocol):
    """A model that coroutines call, wherever it runs. Vectors as of LocalModel. Raises ProviderError."""

    async def embed_query(self, text: str, deadline: Deadline) -> Vector:
        """A question's vector; questions that arrive together are embedded together."""

    async def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each chunk, in batches of the configured size."""

    async def aclose(self) -> None:
        """Release threads and connections."""


@dataclass(frozen=True, slots=True)
class Embedding:
    """The pipeline's embedding model. ``local`` is the same model for callers in threads, if it is local."""

    embedder: Embedder
    local: LocalModel | None
