"""What of the passages and the conversation a model is given: as much as fits its budget of tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ragfleet_runtime.generate.model import Source
from ragfleet_runtime.generate.tokens import FileTokenizer, Tokenizer
from ragfleet_runtime.index.engine import Passage
from ragfleet_runtime.ingest.chunk.sentences import sentence_spans
from ragfleet_runtime.lanes import Lane
from ragfleet_runtime.retrieve.conversation import Turn

Count = Callable[[str], int]

# What surrounds a source and a turn in a prompt.
_SOURCE_FRAME = 32
_TURN_FRAME = 8
# The conversation may take a third of the budget; what it doesn't need is the sources'.
_CONVERSATION_SHARE = 3


@dataclass(frozen=True, slots=True)
class Fitted:
    """What the model is given. The sources keep their numbers: those that don't fit are the last ones."""

    sources: tuple[Source, ...]
    conversation: tuple[Turn, ...]


class ContextBudget:
    """A budget of so many tokens, by a tokenizer."""

    def __init__(self, tokens: int, tokenizer: Tokenizer) -> None:
        self._tokens = tokens
        self._tokenizer = tokenizer
        # An estimate takes about a millisecond; a model's tokenizer takes many.
        self._lane = Lane("tokens", 1) if isinstance(tokenizer, FileTokenizer) else None

    async def fit(self, sources: Sequence[Source], conversation: Sequence[Turn]) -> Fitted:
        """See ``fitted``."""
        if self._lane is None:
            return fitted(sources, conversation, self._tokens, self._tokenizer.count)
        return await self._lane.run(fitted, sources, conversation, self._tokens, self._tokenizer.count)

    def close(self) -> None:
        """End the thread."""
        if self._lane is not None:
            self._lane.close()


def fitted(sources: Sequence[Source], conversation: Sequence[Turn], tokens: int, count: Count) -> Fitted:
    """The sources and turns that fit ``tokens``: the best sources, the latest turns, each of them whole.

    Where the first source alone is too long, it is cut at the end of a sentence.
    """
    turns = _latest(conversation, tokens // _CONVERSATION_SHARE, count)
    room = tokens - sum(_turn_tokens(turn, count) for turn in turns)
    kept: list[Source] = []
    left = room
    for source in sources:
        left -= _SOURCE_FRAME + count(source.passage.indexed_text)
        if left < 0:
            break
        kept.append(source)
    if sources and not kept:
        first = sources[0]
        heads = _SOURCE_FRAME + count(first.passage._replace(text="").indexed_text)
        kept = [replace(first, passage=_shortened(first.passage, room - heads, count))]
    return Fitted(tuple(kept), tuple(turns))


def _latest(conversation: Sequence[Turn], tokens: int, count: Count) -> list[Turn]:
    kept: list[Turn] = []
    for turn in reversed(conversation):
        tokens -= _turn_tokens(turn, count)
        if tokens < 0:
            break
        kept.insert(0, turn)
    return kept


def _turn_tokens(turn: Turn, count: Count) -> int:
    return _TURN_FRAME + count(turn.content)


def _shortened(passage: Passage, tokens: int, count: Count) -> Passage:
    """The passage's start of at most ``tokens``, to the end of a sentence, or else of a word."""
    text = passage.text
    ends = [end for _, end in sentence_spans(text)]
    fitting = _last_fitting(ends, lambda end: count(text[:end]) <= tokens)
    if fitting is None:
        spaces = [i for i, character in enumerate(text) if character.isspace() and i] or [len(text)]
        fitting = _last_fitting(spaces, lambda end: count(text[:end]) <= tokens) or spaces[0]
    return passage._replace(text=text[:fitting], end=passage.start + fitting)


def _last_fitting(ends: Sequence[int], fits: Callable[[int], bool]) -> int | None:
    """The last of ascending ``ends`` that fits, by bisection."""
    low, high = 0, len(ends)
    while low < high:
        middle = (low + high) // 2
        if fits(ends[middle]):
            low = middle + 1
        else:
            high = middle
    return ends[low - 1] if low else None
