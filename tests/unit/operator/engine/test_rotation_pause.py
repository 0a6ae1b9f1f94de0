"""Pods are rolled for what they read once, at most once in five minutes, and never for what can't be read."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_operator.engine.rotation import PAUSE_SECONDS, Rotation, rotation
from ragfleet_operator.names import REVISION_LABEL, ROTATED_ANNOTATION, SECRETS_ANNOTATION

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
OLD, NEW = "0" * 32, "1" * 32
STAMP = "2026-11-21T12:00:00Z"


def deployment(digest: str = OLD, rotated_at: str = "", revision: str = "r1") -> dict[str, Any]:
    """A Deployment as it is stored; "" leaves an annotation or a label out."""
    pods = {"labels": {REVISION_LABEL: revision}, "annotations": {SECRETS_ANNOTATION: digest}}
    template = {
        field: {name: text for name, text in values.items() if text} for field, values in pods.items()
    }
    stamp = {"annotations": {ROTATED_ANNOTATION: rotated_at}} if rotated_at else {}
    return {"metadata": {"name": "handbook", **stamp}, "spec": {"template": {"metadata": template}}}


def at(live: dict[str, Any] | None, digest: str | None, now: datetime = NOW) -> Rotation:
    return rotation(live, digest, now, revision="r1")


@pytest.mark.parametrize(("digest", "rendered"), [(NEW, NEW), ("", ""), (None, "")])
def test_the_first_deployment_has_the_digest_and_was_never_rolled(digest: str | None, rendered: str) -> None:
    assert at(None, digest) == Rotation(rendered, "")


def test_what_has_not_changed_stays_as_it_is() -> None:
    assert at(deployment(), OLD) == Rotation(OLD, "")
    assert at(deployment(rotated_at=STAMP), OLD, NOW + timedelta(days=9)) == Rotation(OLD, STAMP)
    assert at(deployment(digest=""), "") == Rotation("", "")


@pytest.mark.parametrize("digest", [None, ""])
def test_what_cannot_be_read_or_is_not_read_any_more_rolls_nothing(digest: str | None) -> None:
    assert at(deployment(rotated_at=STAMP), digest, NOW + timedelta(days=9)) == Rotation(OLD, STAMP)


def test_the_first_change_is_taken_at_once() -> None:
    assert at(deployment(), NEW) == Rotation(NEW, STAMP)


def test_the_stamp_is_in_utc_wherever_the_operator_runs() -> None:
    assert at(deployment(), NEW, NOW.astimezone(timezone(timedelta(hours=5)))) == Rotation(NEW, STAMP)


@pytest.mark.parametrize("passed", [0, 1, 299.5])
def test_the_next_change_waits_for_the_rest_of_five_minutes(passed: float) -> None:
    now = NOW + timedelta(seconds=passed)
    assert at(deployment(rotated_at=STAMP), NEW, now) == Rotation(OLD, STAMP, PAUSE_SECONDS - passed)


def test_after_five_minutes_the_next_change_is_taken() -> None:
    now = NOW + timedelta(seconds=300)
    assert at(deployment(rotated_at=STAMP), NEW, now) == Rotation(NEW, "2026-11-21T12:05:00Z")


def test_a_change_that_is_taken_back_while_it_waits_rolls_nothing() -> None:
    waiting = at(deployment(rotated_at=STAMP), NEW, NOW + timedelta(seconds=9))
    assert waiting.wait_seconds is not None
    assert at(deployment(rotated_at=STAMP), OLD, NOW + timedelta(seconds=400)) == Rotation(OLD, STAMP)


@pytest.mark.parametrize("rotated_at", ["", STAMP])
@pytest.mark.parametrize("digest", [NEW, ""])
def test_a_new_revision_takes_the_digest_with_it_and_does_not_count(digest: str, rotated_at: str) -> None:
    live = deployment(rotated_at=rotated_at, revision="r0")
    assert at(live, digest, NOW + timedelta(seconds=1)) == Rotation(digest, rotated_at)


def test_a_new_revision_keeps_a_digest_that_cannot_be_told_anew() -> None:
    assert at(deployment(revision="r0"), None) == Rotation(OLD, "")


def test_a_deployment_that_was_made_without_one_is_rolled_once_it_can_be_told() -> None:
    assert at(deployment(digest=""), NEW) == Rotation(NEW, STAMP)


@pytest.mark.parametrize(
    "stamp",
    ["yesterday", "2026-11-21T11:59:59", "2027-11-21T12:00:00Z", "2026-11-21T12:05:00Z"],
    ids=["no time", "no zone", "in a year", "in five minutes"],
)
def test_a_stamp_that_cannot_be_right_holds_nothing_up(stamp: str) -> None:
    assert at(deployment(rotated_at=stamp), NEW) == Rotation(NEW, STAMP)


def test_the_clock_of_another_operator_may_be_a_little_ahead() -> None:
    live = deployment(rotated_at="2026-11-21T12:00:04Z")
    assert at(live, NEW) == Rotation(OLD, "2026-11-21T12:00:04Z", PAUSE_SECONDS)


@given(st.lists(st.tuples(st.floats(0, 200), st.sampled_from([OLD, NEW, "2" * 32, None])), max_size=30))
def test_any_changes_roll_at_most_once_in_five_minutes_and_are_taken_in_the_end(
    steps: list[tuple[float, str | None]],
) -> None:
    now, live, rolls = NOW, deployment(), []
    last: str | None = OLD
    for seconds, digest in steps:
        now += timedelta(seconds=seconds)
        last = digest or last
        turn = at(live, digest, now)
        if turn.digest != live["spec"]["template"]["metadata"]["annotations"][SECRETS_ANNOTATION]:
            rolls.append(now.replace(microsecond=0))
        live = deployment(turn.digest, turn.rotated_at)
    turn = at(live, last, now)
    if turn.wait_seconds is not None:
        now += timedelta(seconds=turn.wait_seconds)
        turn = at(live, last, now)
    assert (turn.digest, turn.wait_seconds) == (last, None)
    gaps = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(rolls)]
    assert all(gap >= PAUSE_SECONDS for gap in gaps)
