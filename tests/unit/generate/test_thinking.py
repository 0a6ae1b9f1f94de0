from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.generate.thinking import ThinkingFilter


def kept(text: str, *cuts: int) -> str:
    thinking = ThinkingFilter()
    begin, released = 0, ""
    for cut in (*sorted(cuts), len(text)):
        released += thinking.feed(text[begin:cut])
        begin = cut
    return released + thinking.finish()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<think>Let me see.</think>\n\nYes.", "\n\nYes."),
        ("\n<think>Hm</think>Yes.", "Yes."),
        ("<think></think>Yes.", "Yes."),
        ("<think>It never ends", ""),
        ("Yes. <think>", "Yes. <think>"),
        ("<thin", "<thin"),
        ("<thing>Yes", "<thing>Yes"),
        ("Yes", "Yes"),
        ("", ""),
    ],
)
def test_what_a_model_thinks_first_is_left_out(text: str, expected: str) -> None:
    assert kept(text) == expected
    assert kept(text, *range(len(text))) == expected


@given(st.text(alphabet="<>think/ x", max_size=30), st.data())
def test_any_split_gives_the_same(text: str, data: st.DataObject) -> None:
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=5))
    assert kept(text, *cuts) == kept(text)


def test_an_answer_isnt_held_back() -> None:
    thinking = ThinkingFilter()
    assert [thinking.feed(piece) for piece in ("Ye", "s", " <")] == ["Ye", "s", " <"]
