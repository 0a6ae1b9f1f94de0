from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.ingest.chunk.sentences import sentence_spans


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in sentence_spans(text)]


def test_sentences_end_at_their_marks() -> None:
    text = "Dr. Smith left at 5 p.m. with 3.5 kg. Did he? Yes!"
    assert sentences(text) == ["Dr. Smith left at 5 p.m. with 3.5 kg.", "Did he?", "Yes!"]


def test_abstracts_with_spaced_stops() -> None:
    text = "the flow past a plate . the drag is found to be small ."
    assert sentences(text) == ["the flow past a plate .", "the drag is found to be small ."]


def test_offsets_are_characters() -> None:
    text = "Smile 😀 now. Cafe\u0301 is open. 你好。再见。 Ende \U0001d518. Gut."
    assert sentences(text) == [
        "Smile 😀 now.",
        "Cafe\u0301 is open.",
        "你好。",
        "再见。",
        "Ende \U0001d518.",
        "Gut.",
    ]


def test_a_line_end_within_a_paragraph_ends_no_sentence() -> None:
    assert sentences("A line\nthat goes on. And\nanother.") == ["A line\nthat goes on.", "And\nanother."]


@pytest.mark.parametrize("blank", ["\n\n", "\n \t\n", "\r\n\r\n"])
def test_a_blank_line_ends_a_sentence(blank: str) -> None:
    assert sentences(f"no stop{blank}here either") == ["no stop", "here either"]


def test_lines_of_markdown_stand_alone() -> None:
    text = "# Head\nText here.\n- one\n- two\n  goes on\n1. three\n2. four\n"
    text += "| a | b |\n|---|---|\nTitle\n===\nend"
    assert sentences(text) == [
        "# Head",
        "Text here.",
        "- one",
        "- two\n  goes on",
        "1. three",
        "2. four",
        "| a | b |",
        "|---|---|",
        "Title",
        "===",
        "end",
    ]


def test_a_part_of_a_text_has_spans_of_the_whole() -> None:
    text = "One. Two is here. Three."
    assert [text[s:e] for s, e in sentence_spans(text, 5, 17)] == ["Two is here."]
    assert sentence_spans(text, 4, 5) == []


def test_long_paragraphs_are_cut_as_short_ones() -> None:
    sentence = "This is sentence number {} of a paragraph that is long."
    expected = [sentence.format(n) for n in range(500)]
    assert sentences(" ".join(expected)) == expected


def test_a_sentence_without_end_comes_in_parts_at_spaces() -> None:
    parts = sentences("word " * 2000)
    assert len(parts) > 1
    assert " ".join(parts) == ("word " * 2000).strip()


@given(st.text(max_size=400))
def test_sentences_hold_all_but_whitespace(text: str) -> None:
    spans = sentence_spans(text)
    assert "".join("".join(text[s:e].split()) for s, e in spans) == "".join(text.split())
    assert all(text[s:e] == text[s:e].strip() != "" for s, e in spans)
