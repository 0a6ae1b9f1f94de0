"""What holds for every text, kind and strategy."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.ingest.chunk.adaptive import chunk, cut
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.chunk.tokens import count_tokens
from ragfleet_runtime.ingest.model import Kind

STRATEGIES = ("Adaptive", "Sentence", "Heading", "Section", "Syntax")

LINES = st.sampled_from(
    [
        *(
            "",
            " ",
            "# A",
            "## B",
            "#",
            "Title",
            "===",
            "---",
            "```",
            "~~~",
            "- item",
            "1. one",
            "1.1 two",
            "2. x",
        ),
        *(
            "§ 3",
            "Article IV",
            "| a | b |",
            "|---|---|",
            "name: Ann; age: 3",
            "def f():",
            "    pass",
            "class A:",
        ),
        *(
            "@d",
            "# note",
            "func f() {",
            "}",
            "/*",
            "*/",
            "'",
            '"""',
            "`",
            "word " * 30,
            "你好。" * 9,
            "a" * 99,
            "(" * 20,
        ),
        *("One sentence. Two of them! Three?", "e\u0301 😀. Then", "\ttab", "x = 1", "\x0c", "\u2028", "a\r"),
    ]
)
TEXTS = st.one_of(st.text(max_size=300), st.lists(LINES, max_size=40).map("\n".join))


@given(TEXTS, st.sampled_from(Kind), st.sampled_from(STRATEGIES), st.integers(16, 60), st.integers(0, 59))
def test_chunks_hold_the_text(text: str, kind: Kind, strategy: str, most: int, overlap: int) -> None:
    settings = ChunkSettings(strategy, most, min(overlap, most - 1))
    chunks = chunk(text, kind, settings)
    assert chunks == chunk(text, kind, settings)
    assert [c.start for c in chunks] == sorted({c.start for c in chunks})
    for c in chunks:
        assert c.start < c.end
        assert text[c.start : c.end] == text[c.start : c.end].strip()
        assert count_tokens(text, c.start, c.end) <= most
    keys = [(text[c.start : c.end], c.headings) for c in chunks]
    assert len(set(keys)) == len(keys)


@given(TEXTS, st.sampled_from(Kind), st.sampled_from(STRATEGIES))
def test_every_character_lies_in_a_chunk(text: str, kind: Kind, strategy: str) -> None:
    held = bytearray(len(text))
    for c in cut(text, kind, ChunkSettings(strategy, 16, 4)):
        held[c.start : c.end] = b"\1" * (c.end - c.start)
    assert not [character for i, character in enumerate(text) if not held[i] and not character.isspace()]


HOSTILE = {
    "one line": "word ",
    "one word": "a",
    "newlines": "\n",
    "hashes": "#",
    "headings": "#\n",
    "parentheses": "(",
    "stops": ".",
    "spaces": " ",
    "quotes": '"',
    "escaped quotes": "\\'",
    "comments": "/*",
    "backticks": "`",
    "fences": "```\n",
    "pipes": "|",
    "rows": "|\n",
    "items": "- \n",
    "numbers": "1.1 \n",
    "blank lines": "\n ",
    "braces": "\n}",
    "Han": "你好。",
    "quotations": "«a. ",
    "links": "# [a](",
}


def seconds(unit: str, characters: int, strategy: str, rounds: int = 1) -> float:
    """That of the fastest round: what else the machine does only ever adds to it."""
    text = (unit * (characters // len(unit) + 1))[:characters]
    taken = []
    for _ in range(rounds):
        began = time.process_time()
        chunk(text, Kind.PYTHON, ChunkSettings(strategy, 256, 32))
        taken.append(time.process_time() - began)
    return min(taken)


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
@pytest.mark.parametrize("unit", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_takes_linear_time(unit: str, strategy: str) -> None:
    # Four times the text takes four times as long, on any machine; sixteen times would be its square.
    assert seconds(unit, 50_000, strategy, 3) < 8 * seconds(unit, 12_500, strategy, 3) + 0.1


@pytest.mark.parametrize("strategy", STRATEGIES[1:])
@pytest.mark.parametrize("unit", ["word ", "\n", "#", "("])
def test_a_megabyte_of_hostile_text(unit: str, strategy: str) -> None:
    assert seconds(unit, 1_000_000, strategy) < 3


def test_an_abstract_is_chunked_in_no_time() -> None:
    text = "the boundary layer on a plate in a supersonic stream was thin , and the drag was small . " * 9
    settings = ChunkSettings("Adaptive", 256, 32)
    best = 1.0
    for _ in range(5):
        began = time.process_time()
        for _ in range(100):
            chunk(text, Kind.PROSE, settings)
        best = min(best, (time.process_time() - began) / 100)
    assert best < 150e-6
