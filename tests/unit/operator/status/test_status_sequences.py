"""What is told along the way: creation, rollout, crash, scaling, an autoscaler at work."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Missing, Observation, PodTrouble
from ragfleet_operator.status import Urgency, assess, transitions, urgency
from support.observations import ANSWER, SCALED, at, deployment, essence, of_replicas, pipeline, seen, without

UNSEEN: Mapping[str, Any] = {"observedGeneration": -1}
CRASHING = [PodTrouble("b", "CrashLoopBackOff", "exit code 1, Error", 2)]


class Story:
    """A pipeline whose status is stored after each pass where something changed."""

    def __init__(self, changes: Mapping[str, Any], status: Mapping[str, Any] = UNSEEN) -> None:
        self.changes, self.generation, self.status, self.now = changes, 1, status, 0
        self.ready: list[str | None] = []
        self.events: list[str] = []
        self.writes = 0

    def sees(self, observations: Iterable[Observation]) -> Story:
        """Go on with these, one a second."""
        for observation in observations:
            self.now += 1
            subject = pipeline(self.changes, generation=self.generation, status=self.status)
            status = assess(subject, observation, at(self.now))
            self.writes += urgency(self.status, status) is Urgency.NOW
            self.events += [f"{event.type} {event.reason}" for event in transitions(self.status, status)]
            self.status = status
            if not self.ready or self.ready[-1] != essence(status, "Ready"):
                self.ready.append(essence(status, "Ready"))
        return self

    def edited(self, changes: Mapping[str, Any]) -> Story:
        """The next generation, with this spec; what was told so far is forgotten."""
        story = Story(changes, self.status)
        story.generation, story.now = self.generation + 1, self.now
        return story


def test_a_creation_takes_two_urgent_writes_and_one_event() -> None:
    story = Story({}).sees(
        [
            seen(deployment(replicas=0, observed=0)),
            seen(deployment(replicas=0)),
            seen(deployment(available=0)),
            seen(deployment()),
            seen(deployment()),
        ]
    )
    assert story.ready == ["False Progressing", "True Ready"]
    assert story.writes == 2
    assert story.events == ["Normal Ready"]


def test_the_first_answer_of_the_service_can_wait() -> None:
    story = Story({}).sees(
        [seen(deployment(available=0)), seen(deployment()), seen(deployment(), report=ANSWER)]
    )
    assert story.writes == 2
    assert essence(story.status, "IndexReady") == "True Serving"


def test_a_creation_that_lacks_a_secret_goes_on_when_it_is_there() -> None:
    missing = [Missing("Secret", "llm", "", "spec.generation.openAI.apiKeySecretRef")]
    waits = without(seen(missing=missing), DEPLOYMENT)
    story = Story({}).sees([waits, waits, seen(deployment(available=0)), seen(deployment())])
    assert story.ready == ["False SecretMissing", "False Progressing", "True Ready"]
    assert story.events == ["Warning SecretMissing", "Normal Progressing", "Normal Resolved", "Normal Ready"]


def test_a_rollout_is_told_from_its_first_moment_to_its_last() -> None:
    ready = Story(of_replicas(2)).sees([seen(deployment(2))])
    rollout = ready.edited({**of_replicas(2), "runtime": {"image": "registry.example/ragfleet:2"}}).sees(
        [
            seen(deployment(2, generation=2, observed=1)),
            seen(deployment(2, updated=0, generation=2)),
            seen(deployment(2, replicas=3, updated=1, available=2, generation=2)),
            seen(deployment(2, replicas=3, updated=1, available=3, generation=2)),
            seen(deployment(2, replicas=3, updated=2, available=2, generation=2)),
            seen(deployment(2, replicas=3, updated=2, available=3, generation=2)),
            seen(deployment(2, generation=2)),
        ]
    )
    assert rollout.ready == ["False RolloutInProgress", "True Ready"]
    assert rollout.writes == 2
    assert rollout.events == ["Normal RolloutInProgress", "Normal Ready"]


def test_an_embedded_pipeline_is_replaced_with_a_gap_that_is_told() -> None:
    story = Story({}).sees([seen(deployment())]).edited({"requests": {"deadlineSeconds": 30}})
    story.sees(
        [
            seen(deployment(generation=2, observed=1)),
            seen(deployment(replicas=0, generation=2)),
            seen(deployment(available=0, generation=2)),
            seen(deployment(generation=2)),
        ]
    )
    assert story.ready == ["False RolloutInProgress", "False Progressing", "True Ready"]


def test_an_edit_that_concerns_no_pod_is_ready_at_once_for_its_generation() -> None:
    story = Story({}).sees([seen(deployment())]).edited({"monitoring": {"serviceMonitor": {}}})
    story.sees([seen(deployment())])
    assert story.status["observedGeneration"] == 2
    assert {condition["observedGeneration"] for condition in story.status["conditions"]} == {2}
    assert story.ready == ["True Ready"]
    assert story.events == []


def test_a_crash_loop_in_a_rollout_is_told_once() -> None:
    broken = deployment(2, replicas=3, updated=1, available=2, generation=2)
    story = Story(of_replicas(2)).sees([seen(deployment(2))]).edited(of_replicas(2))
    story.sees(
        [
            seen(deployment(2, generation=2, observed=1)),
            *[seen(broken, troubles=CRASHING)] * 5,
            seen(deployment(2, generation=3, observed=2), troubles=CRASHING),
            seen(deployment(2, generation=3)),
        ]
    )
    assert story.ready == [
        "False RolloutInProgress",
        "False CrashLoopBackOff",
        "False RolloutInProgress",
        "True Ready",
    ]
    assert story.events.count("Warning CrashLoopBackOff") == 1
    assert essence(story.status, "RuntimeAvailable") == "True Available"


def test_to_zero_and_back() -> None:
    story = Story(of_replicas(2)).sees([seen(deployment(2))]).edited(of_replicas(0))
    story.sees(
        [
            seen(deployment(0, replicas=2, generation=2, observed=1)),
            seen(deployment(0, replicas=1, generation=2)),
            seen(deployment(0, generation=2)),
        ]
    )
    assert story.ready == ["False RolloutInProgress", "True ScaledToZero"]
    assert essence(story.status, "RuntimeAvailable") == "False ScaledToZero"
    back = story.edited(of_replicas(1)).sees(
        [
            seen(deployment(1, replicas=0, generation=3, observed=2)),
            seen(deployment(1, available=0, generation=3)),
            seen(deployment(1, generation=3)),
        ]
    )
    assert back.ready == ["False Progressing", "True Ready"]


def test_scaling_by_hand_is_a_change_to_wait_for() -> None:
    story = Story(of_replicas(2)).sees([seen(deployment(2))]).edited(of_replicas(5))
    story.sees(
        [
            # The operator's pass comes before anything is applied.
            seen(deployment(2)),
            seen(deployment(5, replicas=2, generation=2, observed=1)),
            seen(deployment(5, available=2, generation=2)),
            seen(deployment(5, available=4, generation=2)),
            seen(deployment(5, generation=2)),
        ]
    )
    assert story.ready == ["False RolloutInProgress", "True Ready"]


def test_an_autoscaler_brings_a_new_pipeline_to_its_fewest_replicas_before_it_is_ready() -> None:
    story = Story(SCALED).sees(
        [
            seen(deployment(1, replicas=0, observed=0)),
            seen(deployment(1)),
            seen(deployment(2, replicas=1, generation=2, observed=1)),
            seen(deployment(2, available=1, generation=2)),
            seen(deployment(2, generation=2)),
        ]
    )
    assert story.ready == ["False Progressing", "False RolloutInProgress", "True Ready"]


def test_an_autoscaler_s_steps_leave_a_ready_pipeline_ready() -> None:
    story = Story(SCALED).sees([seen(deployment(2))])
    before = story.status
    story.writes = 0
    story.sees(
        [
            seen(deployment(5, replicas=2, generation=2, observed=1)),
            seen(deployment(5, available=2, generation=2)),
            seen(deployment(5, available=4, generation=2)),
            seen(deployment(5, generation=2)),
            seen(deployment(3, replicas=5, generation=3, observed=2)),
            seen(deployment(3, generation=3)),
        ]
    )
    assert story.ready == ["True Ready"]
    assert story.writes == 0
    assert story.events == ["Normal Ready"]
    assert story.status["conditions"] == before["conditions"]
    assert story.status["runtime"]["replicas"] == "3/3"


def test_an_edit_is_not_taken_for_an_autoscaler_s_step() -> None:
    story = Story(SCALED).sees([seen(deployment(2))]).edited({**SCALED, "requests": {"deadlineSeconds": 30}})
    story.sees(
        [
            seen(deployment(2, generation=2, observed=1)),
            seen(deployment(2, generation=2, observed=1)),
            seen(deployment(2, updated=0, generation=2)),
            seen(deployment(4, replicas=5, updated=2, available=3, generation=3, observed=2)),
            seen(deployment(4, available=3, generation=3)),
        ]
    )
    assert story.ready == ["False RolloutInProgress", "True Ready"]


def test_with_an_autoscaler_fewer_than_the_fewest_is_not_ready() -> None:
    story = Story(SCALED).sees([seen(deployment(2)), seen(deployment(2, available=1)), seen(deployment(2))])
    assert story.ready == ["True Ready", "False RolloutInProgress", "True Ready"]
