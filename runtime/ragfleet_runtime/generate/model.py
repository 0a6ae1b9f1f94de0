"""What a generator is given, and what it returns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ragfleet_runtime.index.engine import Passage


@dataclass(frozen=True, slots=True)
class Source:
    """A passage under the number by which an answer cites it, from 1."""

    n: int
    passage: Passage
    score: float


@dataclass(frozen=True, slots=True)
class Citation:
    """``answer[answer_start:answer_end]`` is what source ``n`` supports."""

    n: int
    answer_start: int
    answer_end: int


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that a model counted; zero where no model was asked."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``[N]`` in its text refers to source N, and every such marker has its source."""

    text: str
    citations: tuple[Citation, ...]
    confidence: float
    model: str
    usage: Usage = field(default_factory=Usage)
    degraded: tuple[str, ...] = ()


class Generator(Protocol):
    """Makes an answer from passages."""

    async def generate(self, question: str, sources: Sequence[Source]) -> Answer:
        """Answer the question from the sources alone, or say that they don't hold the answer."""
