from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_runtime.generate.citations import CitationFilter

SOURCES = 3


def filtered(text: str, *cuts: int) -> str:
    """What is released of a text that comes in pieces; checks what is said of the markers in it."""
    citations = CitationFilter(SOURCES)
    released, begin = "", 0
    for cut in (*sorted(cuts), len(text)):
        released += citations.feed(text[begin:cut])
        begin = cut
    released += citations.finish()
    for marker in citations.markers:
        assert 1 <= marker.n <= SOURCES
        assert released[marker.start : marker.end] == f"[{marker.n}]"
    return released


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Keys expire [1].", "Keys expire [1]."),
        ("Keys expire [1, 2].", "Keys expire [1] [2]."),
        ("Keys expire [1][2].", "Keys expire [1] [2]."),
        ("Keys expire [1] [2].", "Keys expire [1] [2]."),
        ("Keys expire [1; 3 and 2].", "Keys expire [1] [3] [2]."),
        ("Keys expire [1, 1].", "Keys expire [1]."),
        ("Keys expire 【1】.", "Keys expire [1]."),
        ("Keys expire【2†L10-L12】.", "Keys expire[2]."),
        ("Keys expire [Source 1].", "Keys expire [1]."),
        ("Keys expire [sources: 1, 3].", "Keys expire [1] [3]."),
        ("Keys expire [ 2 ].", "Keys expire [2]."),
        ("  \nKeys expire. [1]\n ", "Keys expire. [1]"),
    ],
)
def test_markers_are_made_uniform(text: str, expected: str) -> None:
    assert filtered(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Keys expire [4].", "Keys expire."),
        ("Keys expire [0] at night.", "Keys expire at night."),
        ("Keys expire [4, 2].", "Keys expire [2]."),
        ("Keys expire [9][1].", "Keys expire [1]."),
        ("Keys expire [1][9][2].", "Keys expire [1] [2]."),
        ("Keys expire [9]at night.", "Keys expire at night."),
        ("[9] Keys expire.", "Keys expire."),
        ("Keys expire.\n[9] They do.", "Keys expire.\nThey do."),
        ("Keys expire 【7】 or not.", "Keys expire or not."),
        ("Keys [9", "Keys [9"),
        ("[12345678901234567890]", ""),
    ],
)
def test_markers_without_a_source_are_dropped_with_the_space_before(text: str, expected: str) -> None:
    assert filtered(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "See [the guide](https://example.org/[a]) for more.",
        "A list [a, b] and a part [12",
        "[x] done, [ ] open, [^1] a note, [-1] less, [1-3] a range",
        "Use `argv[9]` here.",
        "Use ``a `b[9]` c`` here.",
        "```python\nfirst = items[0]\n```",
        "~~~\nitems[9]\n~~~",
        "- Run:\n  ```sh\n  echo ${a[0]}\n  ```\n- Done.",
        "> ```\n> a[9]\n> ```",
        "1. ```\n   a[0]\n   ```",
        "`items[9]` and `more[8]`",
        "a ~ b ~~c~~ d",
        "[Source",
        "[" + "1, " * 100 + "1]",
        "many spaces   inside,\n\n\nand lines",
    ],
)
def test_ordinary_text_and_code_stay_as_they_are(text: str) -> None:
    assert filtered(text) == text
    assert filtered(text, *range(len(text))) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("```\na[0]\n```\n[1] and [9].", "```\na[0]\n```\n[1] and."),
        ("```\na[0]\n``` [2]", "```\na[0]\n``` [2]"),
        ("A lone ` tick [9] here.\nThen [9] `b[9]`.", "A lone ` tick here.\nThen `b[9]`."),
        ("```not a block``` [9] but `[9]`", "```not a block``` but `[9]`"),
        ("```\na[0]\n~~~\nb[0]\n```\nafter [9]", "```\na[0]\n~~~\nb[0]\n```\nafter"),
        ("````\n```\na[0]\n````\n[1]", "````\n```\na[0]\n````\n[1]"),
    ],
)
def test_code_ends_where_it_ends(text: str, expected: str) -> None:
    assert filtered(text) == expected
    assert filtered(text, *range(len(text))) == expected


def test_no_marker_is_made_of_what_stood_around_a_dropped_one() -> None:
    for text in ("[[9]9]", "[9[9]]", "[1[9]2]"):
        assert not re.search(r"\[(?:9|12)\]", filtered(text)), text


def released_at_once(*pieces: str) -> list[str]:
    citations = CitationFilter(SOURCES)
    return [citations.feed(piece) for piece in pieces]


def test_nothing_is_held_for_longer_than_it_takes_to_decide() -> None:
    assert released_at_once("Keys", " expire", ".") == ["Keys", " expire", "."]
    assert released_at_once("a [", "1", "]", " b") == ["a", "", " [1]", " b"]
    assert released_at_once("a [", "l", "ink") == ["a", " [l", "ink"]
    assert released_at_once("a [1", "x") == ["a", " [1x"]
    assert released_at_once("a [Sour", "t") == ["a", " [Sourt"]
    assert released_at_once("x ", "y") == ["x", " y"]
    assert released_at_once("`code", " more") == ["`code", " more"]
    assert released_at_once("`a[1]", " b`", " c") == ["`a", "", "[1] b` c"]


_PARTS = [
    "[",
    "]",
    "1",
    "2",
    "9",
    ", ",
    "Source ",
    "【",
    "】",
    "†",
    "`",
    "```",
    "~~~",
    "\n",
    " ",
    "a",
    "and",
    "- ",
]
texts = st.lists(st.sampled_from([*_PARTS, "[1]", "[9]", "word", "."]), max_size=16).map("".join)


@settings(deadline=None, max_examples=200)
@given(texts, st.data())
def test_any_split_gives_the_same_text(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=6))
    whole = filtered(text)
    assert filtered(text, *cuts) == whole
    assert filtered(text, *range(len(text))) == whole


@settings(deadline=None, max_examples=200)
@given(texts)
def test_outside_of_code_no_marker_dangles(text: str) -> None:
    text = text.replace("`", "").replace("~", "")
    assert {int(n) for n in re.findall(r"\[(\d+)\]", filtered(text))} <= {1, 2, 3}


@settings(deadline=None, max_examples=200)
@given(st.text(alphabet=st.characters(exclude_characters="[【", exclude_categories=["Cs"]), max_size=60))
def test_text_without_brackets_is_never_changed(text: str) -> None:
    assert filtered(text, *range(0, len(text), 3)) == text.strip()


@settings(deadline=None, max_examples=200)
@given(texts)
def test_only_markers_and_space_are_ever_lost(text: str) -> None:
    def letters(value: str) -> list[str]:
        return re.findall(r"a|word|\.|†", value)

    kept, lost = letters(filtered(text)), letters(text)
    remaining = iter(lost)
    assert all(letter in remaining for letter in kept)
    assert len(lost) - len(kept) <= len(re.findall(r"and|†", text)), "more was lost than markers hold"
