"""What a generator is given, and what it returns."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.index.engine import Passage
from ragfleet_runtime.retrieve.conversation import Turn


@dataclass(frozen=True, slots=True)
class Question:
    """A question.

    text: as it was asked. standalone: what it means without the conversation before it; the same where there
    is none.
    """

    text: str
    standalone: str
    conversation: tuple[Turn, ...] = ()


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
    """Tokens that a model's provider counted; zero where no model was asked, or where it doesn't tell."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """All tokens."""
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class Finish:
    """What there is to say of an answer once all of its text is there.

    confidence: 0 to 1. degraded: what is not as it should be.
    """

    model: str
    citations: tuple[Citation, ...]
    confidence: float
    usage: Usage = field(default_factory=Usage)
    degraded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. ``[N]`` in its text refers to source N, and every such marker has its source."""

    text: str
    citations: tuple[Citation, ...]
    confidence: float
    model: str
    usage: Usage = field(default_factory=Usage)
    degraded: tuple[str, ...] = ()


Pieces = AsyncGenerator[str | Finish, None]


class Generator(Protocol):
    """Makes an answer from passages."""

    @property
    def name(self) -> str:
        """By which ``degraded`` and the metrics call it."""

    def stream(self, question: Question, sources: Sequence[Source], deadline: Deadline) -> Pieces:
        """Answer from the sources alone, or say that they don't hold the answer.

        Gives the text in pieces as they come, then a Finish as the last item. No piece ends inside a marker,
        and every marker has its source. Raises ProviderError.
        """
