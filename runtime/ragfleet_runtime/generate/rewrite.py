"""A follow-up as a question of its own: by a model where there is one, by the conversation's words else."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import structlog

from ragfleet_api.config.runtime import QueryConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.generate.chat import ChatModel
from ragfleet_runtime.generate.model import Question
from ragfleet_runtime.generate.prompt import standalone_prompt
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Engine
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.retrieve.conversation import Turn, follow_up, terms_said
from ragfleet_runtime.retrieve.question import fitted_question

# What ``degraded`` says where the model failed to rewrite and the words stood in.
WITHOUT_REWRITING = "rewrite"

_SHARE = 0.25
_MOST_SECONDS = 10.0
# Room for a question, and for a model that thinks before it writes.
_MAX_TOKENS = 512
_MOST_CHARACTERS = 1000

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class FollowUps:
    """Makes questions stand alone. ``model`` is None where no generator is a model."""

    def __init__(
        self,
        model: ChatModel | None,
        engine: Engine,
        analyzer: Analyzer,
        limits: QueryConfig,
        metrics: Metrics,
    ) -> None:
        self._model = model
        self._engine = engine
        self._analyzer = analyzer
        self._limits = limits
        self._metrics = metrics

    async def standalone(
        self, question: str, conversation: Sequence[Turn], deadline: Deadline
    ) -> tuple[Question, tuple[str, ...]]:
        """The question with its standalone form, and what had to be done without.

        The model gets a quarter of the time left, at most 10 s.
        """
        said = tuple(conversation)
        if not said:
            return Question(question, question), ()
        degraded: tuple[str, ...] = ()
        if self._model is not None:
            try:
                rewritten = await self._rewritten(self._model, question, said, deadline)
                return Question(question, fitted_question(rewritten, self._limits), said), ()
            except ProviderError as error:
                self._metrics.provider_errors.labels(error.provider, error.fault).inc()
                log.warning("a follow-up was not rewritten", error=str(error), fault=error.fault)
                degraded = (WITHOUT_REWRITING,)
        terms = self._analyzer.counts
        idf = await self._engine.inverse_document_frequencies(terms_said(question, said, terms))
        expanded = follow_up(question, said, terms, idf)
        return Question(question, fitted_question(expanded, self._limits), said), degraded

    async def _rewritten(
        self, model: ChatModel, question: str, conversation: Sequence[Turn], deadline: Deadline
    ) -> str:
        own = deadline.at_most(min(deadline.remaining() * _SHARE, _MOST_SECONDS))
        prompt = standalone_prompt(question, conversation)
        try:
            async with (
                asyncio.timeout(own.remaining()),
                aclosing(model.reply(prompt, _MAX_TOKENS, own)) as reply,
            ):
                pieces = [item async for item in reply if isinstance(item, str)]
        except TimeoutError:
            raise ProviderError(model.name, "timeout", "took too long to rewrite the question") from None
        text = " ".join("".join(pieces).split()).strip("\"'")
        if not text or len(text) > _MOST_CHARACTERS:
            raise ProviderError(model.name, "bad_response", "didn't rewrite the question in one line")
        return text
