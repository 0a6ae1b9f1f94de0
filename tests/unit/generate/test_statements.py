from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_runtime.generate.citations import CitationFilter
from ragfleet_runtime.generate.model import Source
from ragfleet_runtime.generate.statements import citations_of, says_nothing_found, statements_of, support
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Passage

ANALYZER = Analyzer("English")


def sources(*texts: str) -> list[Source]:
    return [
        Source(n, Passage("t", f"d{n}", "r", 0, 0, len(text), text, "prose"), 1.0)
        for n, text in enumerate(texts, start=1)
    ]


def cited(text: str) -> list[tuple[tuple[int, ...], str]]:
    """The statements of an answer: the sources of each, and its words."""
    markers = CitationFilter(9)
    answer = markers.feed(text) + markers.finish()
    return [(one.cited, answer[one.start : one.end]) for one in statements_of(answer, markers.markers)]


def confidence(text: str, *texts: str) -> float:
    markers = CitationFilter(9)
    answer = markers.feed(text) + markers.finish()
    return support(answer, statements_of(answer, markers.markers), sources(*texts), ANALYZER.counts)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Keys expire. [1] They are renewed [2].", [((1,), "Keys expire."), ((2,), "They are renewed")]),
        ("Keys expire [1] and are renewed [2].", [((1,), "Keys expire"), ((2,), "and are renewed")]),
        ("Keys expire [1][3], yes.", [((1, 3), "Keys expire"), ((), "yes.")]),
        ("Keys expire [1]. [2]", [((1, 2), "Keys expire")]),
        ("First this. Then that. [1] Last.", [((), "First this."), ((1,), "Then that."), ((), "Last.")]),
        ("[2] says that keys expire. Good.", [((2,), "says that keys expire."), ((), "Good.")]),
        ("1. Stop it [1]\n2. Start it [2]", [((1,), "1. Stop it"), ((2,), "2. Start it")]),
        ("## Keys\n\nThey expire. [1]", [((1,), "They expire.")]),
        ("[1] [2]", []),
        ("", []),
    ],
)
def test_a_marker_cites_the_statement_before_it(text: str, expected: list[object]) -> None:
    assert cited(text) == expected


def test_every_source_of_a_statement_is_a_citation() -> None:
    markers = CitationFilter(3)
    answer = markers.feed("Keys expire [1, 2]. They do. [3]") + markers.finish()
    found = citations_of(statements_of(answer, markers.markers))
    assert [(c.n, answer[c.answer_start : c.answer_end]) for c in found] == [
        (1, "Keys expire"),
        (2, "Keys expire"),
        (3, "They do."),
    ]


KEYS = "Keys are issued at the service desk."


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Keys are issued at the service desk. [1]", 1.0),
        ("The service desk issues keys. [1]", 1.0),  # other forms of the same words
        ("Keys are issued at the service desk.", 0.0),  # nothing is cited
        ("Keys are issued at the service desk. [1] Elephants are grey.", 0.5),
        ("Keys are issued at the service desk. [1] Elephants are grey. [1]", 0.5),
        (
            "To get one:\n\n1. Go to the service desk [1]",
            0.75,
        ),  # "go" isn't in the source, the lead-in is no claim
        ("Yes.", 0.0),
        ("", 0.0),
    ],
)
def test_confidence_is_the_mean_support_of_the_statements(text: str, expected: float) -> None:
    assert confidence(text, KEYS) == pytest.approx(expected, abs=0.1)


def test_a_statement_may_be_supported_by_several_sources_together() -> None:
    first, second = "Keys are issued.", "The desk opens at nine."
    assert confidence("Keys are issued when the desk opens at nine. [1] [2]", first, second) == 1.0
    assert confidence("Keys are issued when the desk opens at nine. [1]", first, second) < 1.0


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ("I can't find that in the documents.", True),
        ("i can\u2019t find that in the documents", True),
        ("**I can't find that in the documents!** [1]", True),
        ("I can't find that in the documents, but keys expire.", False),
        ("Keys expire.", False),
        ("", False),
    ],
)
def test_the_answer_for_nothing_found_is_known_in_any_dress(answer: str, *, expected: bool) -> None:
    assert says_nothing_found(answer, "I can't find that in the documents.") is expected


_PARTS = ["[1]", "[2]", "[9]", "Keys expire", ". ", "\n", "- ", "```\n", "# Top\n", ":", " and "]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.sampled_from(_PARTS), max_size=14).map("".join))
def test_spans_lie_in_the_answer_in_order_and_confidence_is_a_share(text: str) -> None:
    markers = CitationFilter(2)
    answer = markers.feed(text) + markers.finish()
    found = statements_of(answer, markers.markers)
    ends = [0]
    for one in found:
        assert ends[-1] <= one.start < one.end <= len(answer)
        assert not any(one.start < marker.end and marker.start < one.end for marker in markers.markers)
        ends.append(one.end)
    assert {n for one in found for n in one.cited} <= {marker.n for marker in markers.markers}
    assert 0.0 <= support(answer, found, sources(KEYS, KEYS), ANALYZER.counts) <= 1.0
