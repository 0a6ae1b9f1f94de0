from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.ingest.chunk.pack import pack
from ragfleet_runtime.ingest.chunk.settings import Span
from ragfleet_runtime.ingest.chunk.tokens import count_tokens, split_at_tokens


def word_spans(text: str) -> list[Span]:
    spans, position = [], 0
    for word in text.split():
        start = text.index(word, position)
        position = start + len(word)
        spans.append((start, position))
    return spans


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \n\t", 0),
        ("The flow, at Mach 2.5, is steady.", 12),
        ("naïve café", 2),
        ("snake_case_name", 1),
        ("don't", 3),
        ("你好世界", 4),
        ("東京タワー", 5),
        ("안녕하세요 세계", 2),
        ("a" * 64, 1),
        ("a" * 65, 2),
        ("😀😀", 2),
    ],
)
def test_a_token_is_a_word_or_a_mark(text: str, tokens: int) -> None:
    assert count_tokens(text) == tokens


def test_tokens_of_a_part() -> None:
    assert count_tokens("one two three four", 4, 13) == 2


@given(st.text(max_size=200), st.integers(1, 5))
def test_pieces_hold_all_tokens_and_no_more_than_asked(text: str, most: int) -> None:
    pieces = list(split_at_tokens(text, (0, len(text)), most))
    assert all(count_tokens(text, *piece) <= most for piece in pieces)
    assert sum(count_tokens(text, *piece) for piece in pieces) == count_tokens(text)
    assert "".join("".join(text[a:b].split()) for a, b in pieces) == "".join(text.split())


def test_units_fill_passages_in_order() -> None:
    text = "a b c d e f g"
    assert [text[s:e] for s, e in pack(text, word_spans(text), 3)] == ["a b c", "d e f", "g"]


def test_passages_share_whole_units() -> None:
    text = "a bb! c dd! e ff!"
    passages = [text[s:e] for s, e in pack(text, word_spans(text), 4, 2)]
    assert passages == ["a bb! c", "c dd! e", "e ff!"]


def test_no_overlap_where_the_next_unit_leaves_no_room() -> None:
    text = "a b!!!"
    assert [text[s:e] for s, e in pack(text, word_spans(text), 4, 3)] == ["a", "b!!!"]


def test_a_unit_too_long_is_cut_at_tokens() -> None:
    text = "one two three four five"
    assert [text[s:e] for s, e in pack(text, [(0, len(text))], 2)] == ["one two", "three four", "five"]


@given(st.lists(st.text("ab!", min_size=1, max_size=9), max_size=30), st.integers(1, 8), st.integers(0, 7))
def test_packing_keeps_its_bounds(words: list[str], most: int, overlap: int) -> None:
    text = " ".join(words)
    passages = pack(text, word_spans(text), most, min(overlap, most - 1))
    assert all(0 < count_tokens(text, *passage) <= most for passage in passages)
    assert all(one < other for one, other in pairwise(passages))
    assert all(one[1] < other[1] for one, other in pairwise(passages))
    covered = {i for start, end in passages for i in range(start, end)}
    assert covered >= {i for i, character in enumerate(text) if character != " "}
    for one, other in pairwise(passages):
        if other[0] < one[1]:
            assert count_tokens(text, other[0], one[1]) <= overlap
