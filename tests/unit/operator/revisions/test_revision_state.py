"""``status.revisions``, written and read."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_api.status import RevisionsStatus
from ragfleet_operator.model import Rejected, Revisions
from ragfleet_operator.revisions import as_json, is_rolled_back, state_of

IDS = st.sampled_from(["", "aaaaaaaaaa", "bbbbbbbbbb", "cccccccccc"])
REJECTED = st.builds(
    Rejected,
    revision=IDS.filter(bool),
    generation=st.integers(0, 2**40),
    reason=st.sampled_from(["CrashLoopBackOff", "DeadlineExceeded"]),
    message=st.text(max_size=50),
    pin=st.sampled_from(["", "aaaaaaaaaa@3"]),
)
STATES = st.builds(Revisions, IDS, IDS, st.none() | REJECTED, IDS)


@given(STATES)
def test_what_is_written_is_read_as_it_was(state: Revisions) -> None:
    assert state_of({"revisions": as_json(state)}) == state


@given(STATES)
def test_what_is_written_is_what_the_api_takes(state: Revisions) -> None:
    RevisionsStatus.model_validate(as_json(state), by_name=False)


def test_nothing_is_written_of_nothing() -> None:
    assert as_json(Revisions()) == {}
    assert as_json(Revisions(unknown_pin="0123456789")) == {}


@pytest.mark.parametrize(
    "stored",
    [
        None,
        "text",
        [],
        {"current": 5, "lastGood": None, "rejected": "text", "pinned": ["a"]},
        {"rejected": {"revision": "a", "generation": "3", "reason": "R", "message": ""}},
        {"rejected": {"revision": "a", "generation": True, "reason": "R", "message": ""}},
        {"rejected": {"revision": "", "generation": 3, "reason": "R", "message": ""}},
        {"rejected": {"revision": "a", "generation": 3}},
        {"current": "x" * 300},
    ],
)
def test_what_is_not_as_it_should_be_counts_as_not_said(stored: Any) -> None:
    assert state_of({"revisions": stored}) == Revisions()


def test_part_of_it_counts_where_the_rest_is_wrong() -> None:
    stored = {"current": "aaaaaaaaaa", "rejected": {"revision": "b"}, "more": 1}
    assert state_of({"revisions": stored}) == Revisions(current="aaaaaaaaaa")


@pytest.mark.parametrize(
    ("current", "pinned", "rejected", "expected"),
    [
        ("a", "", "b", True),
        ("b", "", "b", False),
        ("a", "a", "b", False),
        ("a", "b", "b", True),
        ("b", "b", "b", False),
        ("a", "", None, False),
    ],
)
def test_it_is_rolled_back_where_the_one_asked_for_is_rejected(
    current: str, pinned: str, rejected: str | None, expected: bool
) -> None:
    verdict = None if rejected is None else Rejected(rejected, 1, "R", "")
    assert is_rolled_back(Revisions(current, "a", verdict, pinned)) is expected
