"""A question's way: retrieve passages, then make an answer of them."""

from __future__ import annotations

import time
from collections.abc import Sequence

from ragfleet_api.config import RetrievalConfig
from ragfleet_runtime.generate.model import Answer, Generator, Source
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.reader import PassageReader
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.retrieve.question import checked_question


class Answerer:
    """Answers questions from the pipeline's documents."""

    def __init__(
        self, reader: PassageReader, generator: Generator, config: RetrievalConfig, metrics: Metrics
    ) -> None:
        self._reader = reader
        self._generator = generator
        self._config = config
        self._metrics = metrics

    async def retrieve(self, query: str, top_k: int | None, condition: Condition | None) -> list[Source]:
        """The passages to answer from, numbered from 1. Raises QuestionError."""
        question = checked_question(query, self._config.query)
        start = time.perf_counter()
        hits = await self._reader.search(question, top_k=top_k or self._config.top_k, condition=condition)
        self._metrics.stage_seconds.labels("retrieve").observe(time.perf_counter() - start)
        return [Source(n, hit.passage, hit.score) for n, hit in enumerate(hits, start=1)]

    async def generate(self, query: str, sources: Sequence[Source]) -> Answer:
        """The answer to the question from those passages."""
        question = checked_question(query, self._config.query)
        start = time.perf_counter()
        answer = await self._generator.generate(question, sources)
        self._metrics.stage_seconds.labels("generate").observe(time.perf_counter() - start)
        self._metrics.answers.labels("answered" if answer.citations else "no_answer").inc()
        return answer
