"""What is written, how soon, and the Events for it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_operator.model import Missing, Observation, PodTrouble, Report
from ragfleet_operator.status import (
    Transition,
    Urgency,
    assess,
    assess_invalid,
    assess_suspended,
    is_settled,
    patch,
    transitions,
    urgency,
)
from support.observations import ANSWER, KEY, at, deployment, of_replicas, pipeline, seen

UNSEEN: dict[str, Any] = {"observedGeneration": -1}
CRASH = seen(deployment(available=0), troubles=[PodTrouble("a", "CrashLoopBackOff", "", 3)])
STORE_AWAY = Report(store_reachable=False, store_message="refused")


def told(observation: Observation, generation: int = 1) -> dict[str, Any]:
    return assess(pipeline(generation=generation), observation, at(0))


def of_two(available: int) -> dict[str, Any]:
    """With so many of two replicas available."""
    return assess(pipeline(of_replicas(2)), seen(deployment(2, available=available)), at(0))


READY = told(seen(deployment()))
STARTING = told(seen(deployment(available=0)))


def reasons(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    return [f"{transition.type} {transition.reason}" for transition in transitions(old, new)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (READY, copy.deepcopy(READY), Urgency.NONE),
        (UNSEEN, STARTING, Urgency.NOW),
        (STARTING, READY, Urgency.NOW),
        (READY, told(seen(deployment()), generation=2), Urgency.NOW),
        (READY, {**READY, "endpoint": "http://other"}, Urgency.NOW),
        (READY, {**READY, "readyReplicas": 0}, Urgency.LATER),
        (READY, told(seen(deployment(), report=ANSWER)), Urgency.LATER),
        (
            told(seen(deployment(), report=ANSWER)),
            told(seen(deployment(), report=Report(error="x"))),
            Urgency.LATER,
        ),
        (READY, told(seen(deployment(), report=STORE_AWAY)), Urgency.NOW),
        (told(seen(deployment(), report=STORE_AWAY)), READY, Urgency.NOW),
        (of_two(0), of_two(1), Urgency.LATER),
        (of_two(1), of_two(2), Urgency.NOW),
        (of_two(1), of_two(0), Urgency.NOW),
        (STARTING, told(CRASH), Urgency.NOW),
        (READY, {**READY, "conditions": READY["conditions"][1:]}, Urgency.NOW),
    ],
)
def test_urgency(old: dict[str, Any], new: dict[str, Any], expected: Urgency) -> None:
    assert urgency(old, new) is expected


def test_another_message_can_wait() -> None:
    new = copy.deepcopy(READY)
    new["conditions"][0]["message"] = "other words"
    assert urgency(READY, new) is Urgency.LATER
    assert transitions(READY, new) == ()


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (UNSEEN, STARTING, []),
        (UNSEEN, READY, ["Normal Ready"]),
        (STARTING, READY, ["Normal Ready"]),
        (READY, READY, []),
        (READY, told(seen(deployment()), generation=2), []),
        (READY, told(seen(deployment(generation=2, observed=1))), ["Normal RolloutInProgress"]),
        (UNSEEN, told(seen(missing=[Missing("Secret", "a", "", "spec.b")])), ["Warning SecretMissing"]),
        (
            told(seen(missing=[Missing("Secret", "a", "", "spec.b")])),
            STARTING,
            ["Normal Progressing", "Normal Resolved"],
        ),
        (STARTING, told(CRASH), ["Warning CrashLoopBackOff"]),
        (told(CRASH), READY, ["Normal Ready", "Normal Available"]),
        (READY, told(seen(deployment(), held_fingerprint="0badcafe")), ["Warning ReindexRequired"]),
        (READY, told(seen(deployment(), report=STORE_AWAY)), ["Warning VectorStoreUnreachable"]),
        (
            told(seen(deployment(), report=STORE_AWAY)),
            told(seen(deployment(), report=ANSWER)),
            ["Normal Ready", "Normal Reachable"],
        ),
        (READY, told(seen(deployment(), report=ANSWER)), []),
        (told(seen(deployment(), report=ANSWER)), told(seen(deployment(), report=Report(error="x"))), []),
        (READY, assess_suspended(pipeline(), seen(deployment()), at(0)), ["Normal Suspended"]),
        (
            assess_suspended(pipeline(), seen(deployment()), at(0)),
            READY,
            ["Normal Ready", "Normal Resumed"],
        ),
        (READY, assess_invalid(KEY, 2, READY, "bad", at(0)), ["Warning InvalidSpec"]),
    ],
)
def test_events(old: dict[str, Any], new: dict[str, Any], expected: list[str]) -> None:
    assert reasons(old, new) == expected


def test_going_to_zero_is_no_warning() -> None:
    zero = assess(pipeline({"replicas": 0}), seen(deployment(0)), at(0))
    assert reasons(READY, zero) == ["Normal ScaledToZero"]


def test_an_event_says_what_the_condition_says() -> None:
    (event,) = transitions(STARTING, told(CRASH))
    assert event == Transition("Warning", "CrashLoopBackOff", told(CRASH)["conditions"][0]["message"])


def test_a_reason_that_is_not_ours_makes_no_event() -> None:
    old, new = copy.deepcopy(READY), copy.deepcopy(READY)
    for status, value in ((old, "True"), (new, "False")):
        status["conditions"].append({"type": "Audited", "status": value, "reason": "Late", "message": ""})
    assert transitions(old, new) == ()


def test_settled() -> None:
    assert is_settled(READY)
    assert is_settled(told(CRASH))
    assert not is_settled(STARTING)
    assert not is_settled(UNSEEN)
    assert not is_settled({})
    assert not is_settled(assess(pipeline(of_replicas(2)), seen(deployment(2, available=1)), at(0)))


VALUES = st.recursive(
    st.integers() | st.text(max_size=3) | st.booleans(),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(st.sampled_from("abcd"), VALUES, max_size=4)


def merged(target: Any, change: Any) -> Any:
    """RFC 7386, section 2."""
    if not isinstance(change, dict):
        return change
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in change.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


@given(OBJECTS, OBJECTS)
def test_a_patch_makes_the_new_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    changes = patch(old, new)
    assert merged(old, changes) == new
    assert (changes == {}) == (old == new)


def test_a_patch_takes_away_what_is_gone_and_holds_only_what_differs() -> None:
    assert patch(
        {"a": 1, "runtime": {"replicas": "1/1", "image": "x"}, "endpoint": "http://x", "same": {"b": 1}},
        {"a": 2, "runtime": {"replicas": "0/1"}, "same": {"b": 1}},
    ) == {"endpoint": None, "a": 2, "runtime": {"image": None, "replicas": "0/1"}}
