"""A model inside the process, whichever library runs it: prefixes before it, checks behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from ragfleet_api.config.models import EmbeddingConfig
from ragfleet_runtime.embed.model import PROBE, Vector
from ragfleet_runtime.embed.vectors import VectorRules, is_unicode, prefixed
from ragfleet_runtime.errors import ProviderError

Rows = list[list[float]]

_MOST_TOLD = 300


class Encoder(Protocol):
    """Texts with their prefixes to rows of numbers; raises whatever its library raises."""

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that it reads, those that mark its ends included; None where it isn't known."""

    def queries(self, texts: list[str]) -> Rows:
        """A row for each question."""

    def documents(self, texts: list[str]) -> Rows:
        """A row for each chunk."""


class EncodedModel:
    """The LocalModel over an encoder. ``name`` is that of its library, for errors."""

    def __init__(self, name: str, encoder: Encoder, config: EmbeddingConfig) -> None:
        """Raises ProviderError where the model can't embed the probe as the pipeline asks."""
        self._name = name
        self._encoder = encoder
        self._config = config
        self._rules = VectorRules(name, config.dimensions, config.normalize)
        self._dimensions = len(self.embed_queries([PROBE])[0])

    @property
    def dimensions(self) -> int:
        """Numbers in a vector."""
        return self._dimensions

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that the model reads, those that mark its ends included."""
        return self._encoder.max_tokens

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each question, computed together where that is faster. Raises ProviderError."""
        return self._ready(self._encoder.queries, prefixed(self._config.query_prefix, texts))

    def embed_documents(self, texts: Sequence[str]) -> list[Vector]:
        """A vector for each chunk, computed together where that is faster. Raises ProviderError."""
        return self._ready(self._encoder.documents, prefixed(self._config.document_prefix, texts))

    def _ready(self, encode: Callable[[list[str]], Rows], texts: list[str]) -> list[Vector]:
        try:
            rows = encode(texts)
        except Exception as error:  # neither onnxruntime's nor PyTorch's have a base of their own
            if not is_unicode(texts):
                raise ProviderError(self._name, "invalid_request", "a text isn't valid Unicode") from None
            message = f"the model failed: {first_line(error)}"
            raise ProviderError(self._name, "unavailable", message) from error
        return self._rules.ready(rows, len(texts))


def first_line(error: Exception) -> str:
    """The first line of what an error says, or its type where it says nothing."""
    return (str(error).splitlines() or [type(error).__name__])[0][:_MOST_TOLD]
