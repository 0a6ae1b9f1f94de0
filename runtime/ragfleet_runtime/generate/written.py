"""Answers that a language model writes from the passages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import aclosing

from ragfleet_api.config.models import PromptConfig
from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.generate.chat import ChatModel, Ended
from ragfleet_runtime.generate.citations import CitationFilter
from ragfleet_runtime.generate.model import Finish, Pieces, Question, Source, Usage
from ragfleet_runtime.generate.prompt import answer_prompt, instructions, new_tag
from ragfleet_runtime.generate.statements import citations_of, says_nothing_found, statements_of, support
from ragfleet_runtime.index.bm25 import Analyzer

# What a Finish may call degraded.
CUT = "truncated"
UNCITED = "uncited"

_LETTER = re.compile(r"\w")


class WrittenGenerator:
    """The Generator of a language model."""

    def __init__(self, model: ChatModel, config: PromptConfig, no_answer: str, analyzer: Analyzer) -> None:
        self._model = model
        self._max_tokens = config.max_output_tokens
        self._no_answer = no_answer
        self._analyzer = analyzer
        self._instructions = instructions(config.system_prompt, config.language, no_answer)

    @property
    def name(self) -> str:
        """See Generator."""
        return self._model.name

    async def stream(self, question: Question, sources: Sequence[Source], deadline: Deadline) -> Pieces:
        """See Generator."""
        prompt = answer_prompt(self._instructions, question, sources, new_tag(sources))
        markers = CitationFilter(len(sources))
        text = ""
        ended = Ended(self._model.name, Usage())
        async with aclosing(self._model.reply(prompt, self._max_tokens, deadline)) as reply:
            async for item in reply:
                if isinstance(item, Ended):
                    ended = item
                elif piece := markers.feed(item):
                    text += piece
                    yield piece
        if rest := markers.finish():
            text += rest
            yield rest
        if not _LETTER.search(text):
            raise ProviderError(self.name, "bad_response", _empty(ended, self._max_tokens))
        yield self._finish(text, markers, sources, ended)

    def _finish(self, text: str, markers: CitationFilter, sources: Sequence[Source], ended: Ended) -> Finish:
        cut = (CUT,) if ended.is_cut else ()
        if says_nothing_found(text, self._no_answer):
            return Finish(ended.model, (), 0.0, ended.usage, cut)
        statements = statements_of(text, markers.markers)
        citations = citations_of(statements)
        confidence = support(text, statements, sources, self._analyzer.counts)
        degraded = cut if citations else (*cut, UNCITED)
        return Finish(ended.model, citations, confidence, ended.usage, degraded)


def _empty(ended: Ended, max_tokens: int) -> str:
    if ended.is_cut:
        return f"used all of its {max_tokens} tokens before it answered: raise maxOutputTokens"
    return "gave an empty answer"
