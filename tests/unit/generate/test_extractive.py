from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.evidence import BESIDE, IN_HEADINGS, IN_PASSAGE, sentences
from ragfleet_runtime.generate.extractive import ExtractiveGenerator, choose, coverage, quote
from ragfleet_runtime.generate.model import Finish, Question, Source, Usage
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Passage

ANALYZER = Analyzer("English")


class FixedEngine:
    """An engine that knows the IDF of the words it is given, and holds 1,000 chunks."""

    def __init__(self, **idf: float) -> None:
        self._idf = {term: value for word, value in idf.items() for term in ANALYZER.counts(word)}

    async def inverse_document_frequencies(self, terms: Sequence[int]) -> dict[int, float]:
        return {term: self._idf[term] for term in terms if term in self._idf}

    async def count(self) -> int:
        return 1000


def source(
    text: str,
    n: int = 1,
    *,
    document: str = "d",
    title: str | None = None,
    headings: tuple[str, ...] = (),
    kind: str = "prose",
) -> Source:
    return Source(n, Passage("t", document, "r", 0, 0, len(text), text, kind, title, headings), 1.0)


def term(word: str) -> int:
    return next(iter(ANALYZER.counts(word)))


async def ask(question: str, *sources: Source, most: int = 3, **idf: Any) -> tuple[str, float]:
    generator = ExtractiveGenerator(FixedEngine(**idf), ANALYZER, max_sentences=most, no_answer="Nothing.")  # type: ignore[arg-type]
    asked = Question("And how?", question)  # a follow-up is answered in its standalone form
    text, finish = [piece async for piece in generator.stream(asked, sources, Deadline(10))]
    assert isinstance(text, str)
    assert isinstance(finish, Finish)
    assert (finish.model, finish.usage, finish.degraded) == ("extractive", Usage(), ())
    for citation in finish.citations:
        statement = text[citation.answer_start : citation.answer_end]
        assert statement in sources[citation.n - 1].passage.text
        marker = f"\n[{citation.n}]" if statement.endswith("```") else f" [{citation.n}]"
        assert text[citation.answer_end :].startswith(marker)
    return text, finish.confidence


pytestmark = pytest.mark.anyio


async def test_the_sentence_that_says_most_is_quoted() -> None:
    text = "Buckets hold objects. Deleted objects stay in the bin for seven days. Bins are emptied at night."
    answer, confidence = await ask(
        "How long are deleted objects kept in the bin?",
        source(text),
        delete=5.0,
        objects=2.0,
        bin=4.0,
        kept=3.0,
        long=2.0,
    )
    assert answer.startswith("Deleted objects stay in the bin for seven days. [1]")
    assert confidence > 0.5


async def test_a_heading_supports_the_sentences_under_it() -> None:
    lone = source("Run the command twice.")
    headed = source("Run the command twice.", headings=("Rotating keys",))
    weights: dict[str, Any] = {"rotate": 5.0, "key": 5.0, "command": 1.0}
    assert (await ask("rotate key command", lone, **weights))[0] == "Nothing."
    assert (await ask("rotate key command", headed, **weights))[0] == "Run the command twice. [1]"


async def test_what_no_passage_has_counts_against_the_answer() -> None:
    text = "The capital letters are large."
    answer, confidence = await ask("What is the capital of France?", source(text), capital=4.0)
    assert answer == "Nothing."
    assert confidence < 0.1


@pytest.mark.parametrize("question", ["", "of the and"])
async def test_a_question_without_terms_has_no_answer(question: str) -> None:
    assert await ask(question, source("Some text.")) == ("Nothing.", 0.0)


async def test_no_sources_no_answer() -> None:
    assert await ask("anything") == ("Nothing.", 0.0)


async def test_a_second_sentence_is_quoted_only_for_what_it_adds() -> None:
    one = source("Valves open slowly. Valves open slowly and often. Pumps run at night.", 1)
    two = source("Valves open slowly.", 2, document="other")
    answer, _ = await ask(
        "When do valves open and pumps run?", one, two, valves=5.0, open=3.0, pumps=5.0, run=3.0
    )
    assert answer.count("Valves open") == 1
    assert "Pumps run at night. [1]" in answer


async def test_at_most_so_many_sentences() -> None:
    text = "Alpha is here. Beta is here. Gamma is here. Delta is here."
    words: dict[str, Any] = {"alpha": 5.0, "beta": 5.0, "gamma": 5.0, "delta": 5.0}
    assert (await ask("alpha beta gamma delta", source(text), most=2, **words))[0].count("[1]") == 2


async def test_a_sentence_brings_the_list_that_it_introduces() -> None:
    text = "To restore a backup:\n\n- stop the node\n- run the restore\n\nThen wait."
    answer, _ = await ask("restore a backup", source(text), restore=5.0, backup=5.0)
    assert answer == "To restore a backup:\n\n- stop the node\n- run the restore [1]"


async def test_a_marker_never_breaks_a_fence() -> None:
    text = "To rotate a key:\n\n```sh\nrotate key\n```\n\nThe key then changes."
    answer, _ = await ask("rotate key changes", source(text), rotate=5.0, key=4.0, changes=5.0)
    assert answer == "To rotate a key:\n\n```sh\nrotate key\n```\n[1]\nThe key then changes. [1]"


def test_markers_headings_and_fences_are_not_quoted() -> None:
    text = "# Index access\n\nThe index is argv[1] here.\n\n```\nindex\n```\n\nThe index is plain here."
    found = sentences(source(text), frozenset({term("index")}), ANALYZER)
    assert [sentence.text for sentence in found if "index is" in sentence.text] == [
        "The index is plain here."
    ]
    assert not any(sentence.text.startswith(("#", "```")) for sentence in found)


def test_support_is_graded() -> None:
    made = source("Wings lift. Tails steer. Crews rest. Engines run.", title="Rudders")
    question = frozenset({term(word) for word in ("wings", "tails", "rudders", "engines", "floats")})
    first = sentences(made, question, ANALYZER)[0]
    assert first.support == {
        term("wings"): 1.0,
        term("tails"): BESIDE,
        term("rudders"): IN_HEADINGS,
        term("engines"): IN_PASSAGE,
    }
    weights = dict.fromkeys(question, 1.0)
    assert coverage([first], weights) == pytest.approx((1.0 + BESIDE + IN_HEADINGS + IN_PASSAGE) / 5)


async def test_a_number_is_preferred_where_one_is_asked_for() -> None:
    text = "Backups of the base are kept safe. Backups are kept for seven days."
    answer, _ = await ask("How long are backups kept?", source(text), most=1, backups=3.0, kept=3.0, long=1.0)
    assert answer == "Backups are kept for seven days. [1]"
    answer, _ = await ask(
        "Are backups of the base kept?", source(text), most=1, backups=3.0, kept=3.0, base=1.0
    )
    assert answer == "Backups of the base are kept safe. [1]"


async def test_the_best_sentence_brings_what_goes_on_from_it() -> None:
    text = "The invitation is for one node. It expires after an hour.\n\nAnother paragraph."
    answer, _ = await ask("invitation node", source(text), invitation=4.0, node=3.0)
    assert answer == "The invitation is for one node. [1] It expires after an hour. [1]"


def test_rows_of_a_table_are_quoted_whole() -> None:
    text = "code: E1; cause: No. Never.; remedy: Wait.\ncode: E2; cause: Yes.; remedy: Go."
    found = sentences(source(text, kind="table"), frozenset({term("remedy")}), ANALYZER)
    assert [sentence.text for sentence in found] == text.split("\n")


def test_a_heading_in_plain_text_brings_what_it_heads() -> None:
    text = "3. Planned maintenance\n\nWork is done on Sundays.\n\nOther matters."
    found = sentences(source(text), frozenset({term("maintenance")}), ANALYZER)
    assert found[0].text == "3. Planned maintenance\n\nWork is done on Sundays."


words = st.sampled_from(
    ["wing", "flow", "drag", "lift.", "shock!", "[1]", "# Top", "\n", "\n\n", "- item", "a:", "`x`"]
)
texts = st.lists(words, max_size=30).map(" ".join)


@settings(deadline=None)
@given(
    st.lists(texts, min_size=1, max_size=4),
    st.sets(st.sampled_from(["wing", "flow", "drag", "lift"]), min_size=1),
)
def test_whatever_the_text_each_statement_is_verbatim_and_no_marker_dangles(
    made: list[str], asked: set[str]
) -> None:
    import re

    sources = [source(text, n, document=str(n)) for n, text in enumerate(made, start=1)]
    weights = {term(word): 1.0 for word in asked}
    candidates = [s for one in sources for s in sentences(one, frozenset(weights), ANALYZER)]
    chosen = choose(candidates, weights, 5, asks_number=False)
    text, citations = quote(chosen)
    assert len(citations) == len(chosen)
    for citation in citations:
        assert text[citation.answer_start : citation.answer_end] in made[citation.n - 1]
    markers = [int(n) for n in re.findall(r"\[(\d+)\]", text)]
    assert markers == [citation.n for citation in citations]
    assert 0.0 <= coverage(chosen, weights) <= 1.0
