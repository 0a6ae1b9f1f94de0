from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.retrieve.conversation import Turn, follow_up, terms_said

ANALYZER = Analyzer("English")
DOCUMENTS = sorted((Path(__file__).parents[2] / "examples/quickstart/docs").glob("*.md"))


def user(text: str) -> Turn:
    return Turn("user", text)


def assistant(text: str) -> Turn:
    return Turn("assistant", text)


class Sections:
    """The sections of the quickstart's documents, ranked by BM25 as the index does it."""

    def __init__(self) -> None:
        texts = [part for path in DOCUMENTS for part in re.split(r"\n(?=#{1,3} )", path.read_text())]
        self.headings = [text.split("\n")[0].lstrip("# ") for text in texts]
        self.counts = [ANALYZER.counts(text) for text in texts]
        self.mean = sum(sum(counts.values()) for counts in self.counts) / len(texts)
        every = {term for counts in self.counts for term in counts}
        self.idf = {term: self._idf(term) for term in every}

    def _idf(self, term: int) -> float:
        having = sum(term in counts for counts in self.counts)
        return math.log(1 + (len(self.counts) - having + 0.5) / (having + 0.5))

    def best(self, question: str, most: int) -> list[str]:
        scores = [self._score(ANALYZER.counts(question), counts) for counts in self.counts]
        order = sorted(range(len(scores)), key=lambda i: -scores[i])
        return [self.headings[i] for i in order[:most]]

    def _score(self, asked: dict[int, int], counts: dict[int, int]) -> float:
        norm = 1.2 * (0.25 + 0.75 * sum(counts.values()) / self.mean)
        found = [(n, term, counts[term]) for term, n in asked.items() if term in counts]
        return sum(n * self.idf[term] * tf * 2.2 / (tf + norm) for n, term, tf in found)


SECTIONS = Sections()
DIALOGUES = [
    (
        ["How do I do a rolling upgrade?", "Upgrade one node at a time. [1]"],
        "and how long does it take?",
        "Rolling upgrade",
    ),
    (
        ["How do I rotate an API key?", "Make a new one, then delete the old one. [1]"],
        "what if it leaked?",
        "A leaked key",
    ),
    (
        ["How do I install the package?", "With your package manager. [1]"],
        "how do I remove it again?",
        "Remove Cairnhold",
    ),
    (["How do I share a link to an object?", "With cairnhold share. [1]"], "who can see it?", "Shared links"),
    (["Tell me about the audit log.", "It records each request. [1]"], "where is it kept?", "Audit log"),
    (
        ["Checksums don't match!", "A disk may fail. [1]", "thanks", "You're welcome."],
        "what do I do?",
        "Checksums don't match",
    ),
    (
        ["What do I need to install it?", "A 64-bit Linux. [1]", "Which kernel?", "5.10. [1]"],
        "and how much disk?",
        "What you need",
    ),
]


@pytest.mark.parametrize(("said", "question", "section"), DIALOGUES)
def test_a_follow_up_finds_the_section_that_was_talked_about(
    said: list[str], question: str, section: str
) -> None:
    turns = [assistant(text) if i % 2 else user(text) for i, text in enumerate(said)]
    expanded = follow_up(question, turns, ANALYZER.counts, SECTIONS.idf)
    assert section in SECTIONS.best(expanded, 2), expanded
    assert expanded.startswith(question)


def test_most_of_them_find_nothing_by_themselves() -> None:
    lost = [section for _, question, section in DIALOGUES if section not in SECTIONS.best(question, 2)]
    assert len(lost) >= 4


def expanded(question: str, *turns: Turn, **idf: float) -> str:
    weights = {term: weight for word, weight in idf.items() for term in ANALYZER.counts(word)}
    return follow_up(question, turns, ANALYZER.counts, weights)


def test_a_question_that_stands_alone_borrows_nothing() -> None:
    question = "Which ports does the gateway listen on by default?"
    assert expanded(question, user("How do uploads fail?"), uploads=9.0) == question


def test_stop_words_and_words_that_no_passage_has_arent_borrowed() -> None:
    made = expanded("and then?", user("What is the zebra of a quota?"), quota=1.0)
    assert made == "and then? quota"


def test_the_questions_own_words_weigh_more_than_the_borrowed_ones() -> None:
    assert expanded("how do I undo it?", user("Enable versioning"), versioning=2.0) == (
        "how do I undo it? undo versioning"
    )


def test_the_latest_turn_weighs_most_and_a_users_more_than_an_answers() -> None:
    turns = (user("alpha"), assistant("beta"), user("gamma"), assistant("delta"))
    weights = {"alpha": 2.0, "beta": 2.0, "gamma": 2.0, "delta": 2.0}
    assert expanded("is it red, green, blue?", *turns, **weights).split()[-1] == "gamma"


def test_an_answers_words_are_borrowed_where_the_user_said_little() -> None:
    turns = (user("Which product does that?"), assistant("CairnGate does. [1]"))
    assert expanded("and how do I get it?", *turns, cairngate=3.0).endswith(" CairnGate")


def test_markers_of_an_answer_are_no_words() -> None:
    assert expanded("why?", assistant("It is so [1], [2, 3]."), **{"1": 9.0, "2": 9.0}) == "why?"


def test_names_with_marks_inside_are_one_word() -> None:
    made = expanded("why?", user("What does error CH-3206 mean?"), ch=4.0)
    assert made == "why? CH-3206"


def test_only_what_is_read_is_looked_up() -> None:
    turns = [user("old" + str(n)) for n in range(10)]
    terms = terms_said("new?", turns, ANALYZER.counts)
    known = {next(iter(ANALYZER.counts(turn.content))) for turn in turns}
    assert len(known & set(terms)) == 6
    assert len(terms) == len(set(terms))


@given(
    st.text(max_size=30),
    st.lists(st.builds(Turn, st.sampled_from(["user", "assistant"]), st.text(max_size=60)), max_size=4),
)
def test_whatever_was_said_the_question_is_kept(question: str, turns: list[Turn]) -> None:
    idf = dict.fromkeys(terms_said(question, turns, ANALYZER.counts), 1.0)
    made = follow_up(question, turns, ANALYZER.counts, idf)
    assert made.startswith(question)
    assert follow_up(question, [], ANALYZER.counts, idf) == question
