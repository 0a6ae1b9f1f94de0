"""A question's way: understand it, find passages, then have an answer made of them."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from typing import Literal, cast

from ragfleet_api.config.runtime import RetrievalConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.build import Generators
from ragfleet_runtime.generate.model import Answer, Finish, Question, Source
from ragfleet_runtime.generate.statements import says_nothing_found
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.search import Mode, SearchRequest
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.retrieve.conversation import Turn
from ragfleet_runtime.retrieve.question import checked_question
from ragfleet_runtime.retrieve.retriever import Retriever

# The model's name where nobody was asked, since nothing was found.
NO_MODEL = "none"

Outcome = Literal["answered", "uncited", "no_answer", "failed"]


@dataclass(frozen=True, slots=True)
class Ask:
    """A question as its caller asks it. top_k: passages to answer from; None is the pipeline's own number."""

    query: str
    top_k: int | None = None
    condition: Condition | None = None
    conversation: tuple[Turn, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer is made from.

    sources: the passages given to the generator, numbered from 1. retrieval_count: how many were found.
    degraded: what was done without until now.
    """

    question: Question
    sources: tuple[Source, ...]
    retrieval_count: int
    degraded: tuple[str, ...]
    deadline: Deadline


class Answerer:
    """Answers questions from the pipeline's documents."""

    def __init__(
        self,
        retriever: Retriever,
        generators: Generators,
        config: RetrievalConfig,
        metrics: Metrics,
        *,
        deadline_seconds: float,
    ) -> None:
        self._retriever = retriever
        self._generators = generators
        self._config = config
        self._mode = cast(Mode, config.mode.lower())
        self._metrics = metrics
        self._deadline_seconds = deadline_seconds

    async def find(self, ask: Ask) -> Evidence:
        """The passages to answer from. The request's time starts here.

        Raises QuestionError, ProviderError, StorageError and DeadlineError.
        """
        deadline = Deadline(self._deadline_seconds)
        query = checked_question(ask.query, self._config.query)
        start = time.perf_counter()
        question, degraded = await self._generators.follow_ups.standalone(query, ask.conversation, deadline)
        if ask.conversation:
            self._metrics.stage_seconds.labels("rewrite").observe(time.perf_counter() - start)
            start = time.perf_counter()
        request = SearchRequest(
            question.standalone, self._mode, ask.top_k or self._config.top_k, ask.condition
        )
        found = await self._retriever.search(request, deadline)
        sources = tuple(Source(n, hit.passage, hit.score) for n, hit in enumerate(found.hits, start=1))
        count = len(sources)
        if sources and self._generators.budget is not None:
            fitted = await self._generators.budget.fit(sources, question.conversation)
            sources = fitted.sources
            question = Question(question.text, question.standalone, fitted.conversation)
        self._metrics.stage_seconds.labels("retrieve").observe(time.perf_counter() - start)
        return Evidence(question, sources, count, (*degraded, *found.degraded), deadline)

    async def stream(self, evidence: Evidence) -> AsyncGenerator[str | Answer, None]:
        """The answer's text in pieces as they come, then the whole Answer as the last item.

        Raises ProviderError where no generator answers, or one fails after its first piece.
        """
        if not evidence.sources:
            answer = self._nothing_found(evidence)
            yield answer.text
            yield answer
            return
        start = time.perf_counter()
        text = ""
        pieces = self._generators.fallbacks.stream(evidence.question, evidence.sources, evidence.deadline)
        try:
            async with aclosing(pieces):
                async for piece in pieces:
                    if isinstance(piece, Finish):
                        yield self._done(evidence, text, piece, start)
                    else:
                        text += piece
                        yield piece
        except Exception:
            self._count("failed")
            raise

    async def whole(self, evidence: Evidence) -> Answer:
        """The answer at once. Raises ProviderError where no generator answers."""
        if not evidence.sources:
            return self._nothing_found(evidence)
        start = time.perf_counter()
        try:
            text, finish = await self._generators.fallbacks.whole(
                evidence.question, evidence.sources, evidence.deadline
            )
        except Exception:
            self._count("failed")
            raise
        return self._done(evidence, text, finish, start)

    def _nothing_found(self, evidence: Evidence) -> Answer:
        self._count("no_answer")
        return Answer(self._generators.no_answer, (), 0.0, NO_MODEL, degraded=evidence.degraded)

    def _done(self, evidence: Evidence, text: str, finish: Finish, start: float) -> Answer:
        self._metrics.stage_seconds.labels("generate").observe(time.perf_counter() - start)
        if finish.citations:
            self._count("answered")
        else:
            found_none = says_nothing_found(text, self._generators.no_answer)
            self._count("no_answer" if found_none else "uncited")
        degraded = (*evidence.degraded, *finish.degraded)
        return Answer(text, finish.citations, finish.confidence, finish.model, finish.usage, degraded)

    def _count(self, outcome: Outcome) -> None:
        self._metrics.answers.labels(outcome).inc()
