"""Texts as a model gets them, and its vectors as they are stored. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import ProviderError

# Engines keep 32-bit numbers: beyond these a length is infinite or nothing there.
_LONGEST = 3.4e38
_SHORTEST = 1e-37

# What rounding to 32 bits leaves of a length of 1; such a vector is kept as it is.
_ROUNDING = 1e-6


def prefixed(prefix: str, texts: Sequence[str]) -> list[str]:
    """The texts with the prefix before each."""
    return [prefix + text for text in texts] if prefix else list(texts)


def is_unicode(texts: Iterable[str]) -> bool:
    """Whether every text can be encoded: half of a surrogate pair can't."""
    try:
        for text in texts:
            text.encode()
    except UnicodeEncodeError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class VectorRules:
    """What every vector of a pipeline must be.

    provider: who made them, for messages. dimensions: numbers in each; None: any count, the same for all.
    normalize: whether vectors are scaled to length 1 (L2).
    """

    provider: str
    dimensions: int | None
    normalize: bool

    def ready(self, rows: Sequence[Vector], texts: int) -> list[Vector]:
        """The vectors of that many texts, checked, scaled where the pipeline asks for it.

        Raises ProviderError (bad_response) for another count, other dimensions, what isn't a number, NaN,
        infinity, and a vector of zeros, which has no direction.
        """
        if len(rows) != texts:
            raise self._bad(f"it gave {len(rows)} vectors for {texts} texts")
        dimensions = self.dimensions
        ready = []
        for row in rows:
            vector = self._ready(row)
            if dimensions is None:
                dimensions = len(vector)
            if len(vector) != dimensions:
                raise self._bad(self._other_dimensions(len(vector), dimensions))
            ready.append(vector)
        return ready

    def _ready(self, row: Vector) -> Vector:
        try:
            length = math.hypot(*row)
        except (TypeError, OverflowError):
            raise self._bad("a vector isn't a list of numbers") from None
        if math.isnan(length) or length > _LONGEST:
            raise self._bad("a vector has numbers that are NaN or infinite")
        if length < _SHORTEST:
            raise self._bad("a vector is all zeros")
        if self.normalize and abs(length - 1.0) > _ROUNDING:
            return [number / length for number in row]
        return row

    def _other_dimensions(self, given: int, expected: int) -> str:
        if self.dimensions is None:
            return f"its vectors differ in their dimensions: {expected} and {given}"
        return (
            f"its vectors have {given} dimensions and the pipeline asks for {expected}: "
            f"set embedding.dimensions to {given} or leave it out, or take another model"
        )

    def _bad(self, message: str) -> ProviderError:
        return ProviderError(self.provider, "bad_response", message)
