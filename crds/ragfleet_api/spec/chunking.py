"""How documents are cut into passages."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule

DEFAULT_MAX_TOKENS = 256
DEFAULT_OVERLAP_TOKENS = 32

ChunkingStrategy = Literal["Adaptive", "Sentence", "Heading", "Section", "Syntax"]


class Chunking(ApiModel):
    """How documents are cut into the passages that are searched and cited."""

    strategy: ChunkingStrategy | None = Field(
        default=None,
        description=(
            "Adaptive (default) chooses by the kind of each document: prose by sentence, Markdown and HTML "
            "by heading, numbered legal text by section, code by syntax, tables by row. The others fix one "
            "for all."
        ),
    )
    max_tokens: Annotated[int, Field(ge=16, le=8192)] | None = Field(
        default=None, description=f"Most tokens in one chunk. Default: {DEFAULT_MAX_TOKENS}."
    )
    overlap_tokens: Annotated[int, Field(ge=0, le=4096)] | None = Field(
        default=None,
        description=(
            "Most tokens that neighbouring chunks of prose share. "
            f"Default: {DEFAULT_OVERLAP_TOKENS}, or an eighth of maxTokens if that is less."
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "!has(self.overlapTokens) || "
                f"self.overlapTokens < (has(self.maxTokens) ? self.maxTokens : {DEFAULT_MAX_TOKENS})"
            ),
            message=f"overlapTokens must be less than maxTokens (default {DEFAULT_MAX_TOKENS})",
            field="overlapTokens",
            holds=lambda self: (
                self.overlap_tokens is None or self.overlap_tokens < (self.max_tokens or DEFAULT_MAX_TOKENS)
            ),
        ),
    )
