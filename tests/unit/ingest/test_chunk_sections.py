from __future__ import annotations

import pytest

from ragfleet_runtime.ingest.chunk.adaptive import chunk
from ragfleet_runtime.ingest.chunk.labels import labels
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Kind


def sections(text: str) -> list[tuple[tuple[str, ...], str]]:
    chunks = chunk(text, Kind.LEGAL, ChunkSettings("Adaptive", 64, 0))
    return [(c.headings, text[c.start : c.end]) for c in chunks]


def test_numbered_sections_with_their_path() -> None:
    text = """LEASE

1. Term
The term begins on 1 May.

1.1 The tenant may renew it
once, in writing.
1.2. Renewal. The rent is then set anew.

2. Rent

2.1 Rent is due monthly.
"""
    assert sections(text) == [
        ((), "LEASE"),
        (("1 Term",), "1. Term\nThe term begins on 1 May."),
        (("1 Term", "1.1"), "1.1 The tenant may renew it\nonce, in writing."),
        (("1 Term", "1.2 Renewal"), "1.2. Renewal. The rent is then set anew."),
        (("2 Rent", "2.1"), "2. Rent\n\n2.1 Rent is due monthly."),
    ]


def test_words_and_signs_before_numbers() -> None:
    text = """PART I
Chapter 1: Scope
Article 1
All may use it.
Article 2 Right of use
None may sell it.
Chapter 2
§ 3. Terms
A term is a word.
1. It is short.
2. It is plain.
"""
    assert [path for path, _ in sections(text)] == [
        ("PART I", "Chapter 1 Scope", "Article 1"),
        ("PART I", "Chapter 1 Scope", "Article 2 Right of use"),
        ("PART I", "Chapter 2", "§ 3 Terms"),
        ("PART I", "Chapter 2", "§ 3 Terms", "1"),
        ("PART I", "Chapter 2", "§ 3 Terms", "2"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "It was built in\n1990. It was sold.",
        "The mean is\n3.5 metres here.",
        "Section 3 applies to all of them, and\nArticle 5 does not apply to any.",
        "Part of it\nTitle page",
    ],
)
def test_figures_and_sentences_are_no_labels(text: str) -> None:
    assert labels(text) == []


def test_a_long_section_is_cut_at_sentences_under_one_path() -> None:
    text = (
        "1. Term\n"
        + "The term begins in May and ends in June. " * 3
        + "It may be long. " * 20
        + "\n2. Rent\nNone."
    )
    found = sections(text)
    assert [path for path, _ in found] == [*[("1 Term",)] * (len(found) - 1), ("2 Rent",)]
    assert all(body.endswith(".") for _, body in found)


def test_a_text_without_sections_is_cut_at_paragraphs() -> None:
    assert len(sections("Some words. " * 20 + "\n\n" + "Other words. " * 20)) > 1
