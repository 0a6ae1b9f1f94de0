"""What a collection holds and how it is indexed, for either engine."""

from __future__ import annotations

from dataclasses import dataclass

from ragfleet_api.config.store import IndexConfig


@dataclass(frozen=True, slots=True)
class Shape:
    """What an engine is opened with.

    dimensions: numbers in a dense vector, None without an embedding. dot: scored by dot product, not cosine.
    """

    dimensions: int | None
    dot: bool
    index: IndexConfig
