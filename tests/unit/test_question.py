from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_api.config.runtime import QueryConfig
from ragfleet_runtime.retrieve.question import QuestionError, checked_question

REJECT = QueryConfig(max_characters=20, too_long="Reject")
TRUNCATE = QueryConfig(max_characters=20, too_long="Truncate")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "empty"),
        (" \n\t\u00a0", "empty"),
        ("a\0b", "NUL"),
        ("\ud800", "surrogate"),
        ("x" * 21, "21 characters; at most 20"),
    ],
)
def test_bad_questions_are_refused(text: str, message: str) -> None:
    with pytest.raises(QuestionError, match=message):
        checked_question(text, REJECT)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("  as it is  ", "as it is"),
        ("x" * 20, "x" * 20),
        ("the quick brown fox jumps", "the quick brown fox"),
        ("exactly twenty chars and more", "exactly twenty chars"),
        ("x" * 30, "x" * 20),
    ],
)
def test_long_questions_are_cut_at_a_word(text: str, expected: str) -> None:
    assert checked_question(text, TRUNCATE) == expected


@given(st.text(max_size=60))
def test_a_checked_question_fits(text: str) -> None:
    try:
        found = checked_question(text, TRUNCATE)
    except QuestionError:
        return
    assert 0 < len(found) <= 20
    assert found == found.strip()
    assert text.strip().startswith(found)
