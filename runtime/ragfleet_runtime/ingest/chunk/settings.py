"""What chunking needs to know of the pipeline's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ragfleet_api.config.runtime import ChunkingConfig

Span = tuple[int, int]
"""Start and end of a part of a text, in characters; the part begins and ends with no whitespace."""


class ChunkSettings(NamedTuple):
    """The chunking configuration as a plain tuple: a worker that unpickles it needs no pydantic."""

    strategy: str
    max_tokens: int
    overlap_tokens: int

    @classmethod
    def of(cls, config: ChunkingConfig) -> ChunkSettings:
        """The settings of a pipeline's configuration."""
        return cls(config.strategy, config.max_tokens, config.overlap_tokens)
