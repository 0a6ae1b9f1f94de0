"""Whose fault it is that a revision doesn't get ready."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Observation, PodTrouble, Ref, Report
from ragfleet_operator.names import REVISION_LABEL
from ragfleet_operator.revisions.fault import OWN, OwnFault, own_fault
from ragfleet_operator.status import pods, reasons
from support.rendering import UID, make_pipeline
from support.revision_world import AWAY, LATE, NAME, REACHABLE, Json, with_top_k

NEW, OLD = "aaaaaaaaaa", "bbbbbbbbbb"
PIPELINE = make_pipeline(with_top_k(5))
REFUSED = {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate"}


def deployment(updated: int = 1, old: int = 2, conditions: tuple[Json, ...] = (LATE,)) -> Json:
    return {
        "metadata": {"name": NAME, "generation": 4, "ownerReferences": [{"uid": UID}]},
        "spec": {
            "replicas": 2,
            "progressDeadlineSeconds": 600,
            "template": {"metadata": {"labels": {REVISION_LABEL: NEW}}},
        },
        "status": {
            "observedGeneration": 4,
            "replicas": updated + old,
            "updatedReplicas": updated,
            "conditions": list(conditions),
        },
    }


def trouble(word: str, revision: str = NEW, message: str = "") -> PodTrouble:
    return PodTrouble(f"pod-{revision}", word, message, revision=revision)


@dataclass(frozen=True)
class Case:
    name: str
    reason: str | None
    troubles: tuple[PodTrouble, ...] = ()
    ready: dict[str, int] | None = None
    report: Report | None = REACHABLE
    deployment: Json | None = None


GOOD: dict[str, int] = {OLD: 2}
NO_OLD = deployment(old=0)
CASES = (
    Case("image", "ImagePullBackOff", (trouble("ErrImagePull"),), GOOD),
    Case("crash", "CrashLoopBackOff", (trouble("OOMKilled"),), GOOD),
    Case("container", "CreateContainerConfigError", (trouble("CreateContainerError"),), GOOD),
    Case("image before crash", "ImagePullBackOff", (trouble("Error"), trouble("InvalidImageName")), GOOD),
    Case("never ready", "DeadlineExceeded", (), GOOD),
    Case("never ready, an unknown word", "DeadlineExceeded", (trouble("Strange"),), GOOD),
    Case("crash without a report", "CrashLoopBackOff", (trouble("Error"),), GOOD, report=None),
    Case("never ready, no answer", "DeadlineExceeded", (), GOOD, report=Report(error="no answer")),
    Case("crash while another pod of it is ready", "CrashLoopBackOff", (trouble("Error"),), {NEW: 1, OLD: 1}),
    Case(
        "image of another trouble than the old pods'",
        "ImagePullBackOff",
        (trouble("ErrImagePull"), trouble("Error", OLD)),
        GOOD,
    ),
    Case(
        "crash of pods that nobody remembers too",
        "CrashLoopBackOff",
        (trouble("Error"), trouble("Error", "cccccccccc")),
        GOOD,
    ),
    Case("embedded, crash", "CrashLoopBackOff", (trouble("Error"),), {}, None, NO_OLD),
    Case("embedded, never ready and its store is well", "DeadlineExceeded", (), {}, REACHABLE, NO_OLD),
    # Not its own
    Case("pods weren't looked at", None, (trouble("Error"),), None),
    Case("not asked yet", None, (), GOOD, report=None),
    Case("no room", None, (trouble("Unschedulable"),), GOOD),
    Case("gated", None, (trouble("SchedulingGated"),), GOOD),
    Case("store away", None, (), GOOD, report=AWAY),
    Case("store away and a crash", None, (trouble("Error"),), GOOD, report=AWAY),
    Case(
        "old pods in the same trouble",
        None,
        (trouble("ErrImagePull"), trouble("ImagePullBackOff", OLD)),
        GOOD,
    ),
    Case("old pods not ready", None, (trouble("Error"),), {OLD: 0}),
    Case("no pod ready", None, (), {}),
    Case("image on one node", None, (trouble("ErrImagePull"),), {NEW: 1, OLD: 1}),
    Case("some of it ready", None, (), {NEW: 1, OLD: 1}),
    Case("no pod of it was made yet", None, (), GOOD, deployment=deployment(updated=0)),
    Case("quota", None, (trouble("Error"),), GOOD, deployment=deployment(conditions=(LATE, REFUSED))),
    Case("in time", None, (trouble("Error"),), GOOD, deployment=deployment(conditions=())),
    Case("the trouble of another's pods", None, (trouble("Error", OLD),), {NEW: 1, OLD: 1}),
    Case("embedded, never ready, nothing known of its store", None, (), {}, None, NO_OLD),
    Case("embedded, never ready, no answer", None, (), {}, Report(error="no answer"), NO_OLD),
    Case("embedded, never ready, it doesn't know", None, (), {}, Report(store_reachable=None), NO_OLD),
    Case("embedded, store away", None, (), {}, AWAY, NO_OLD),
)


def found(case: Case, revision: str = NEW) -> OwnFault | None:
    there = deployment() if case.deployment is None else case.deployment
    seen = Observation(
        children={Ref(DEPLOYMENT, NAME): there},
        troubles=case.troubles,
        ready_pods=case.ready,
        report=case.report,
    )
    return own_fault(PIPELINE, seen, revision, OLD)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_fault_is_the_revisions_own_or_it_is_not(case: Case) -> None:
    fault = found(case)
    assert (None if fault is None else fault.reason) == case.reason


def test_a_fault_is_of_the_revision_that_runs() -> None:
    assert found(CASES[0], OLD) is None
    assert own_fault(PIPELINE, Observation(), NEW) is None


def test_a_deployment_of_somebody_else_tells_nothing() -> None:
    theirs = deployment()
    theirs["metadata"]["ownerReferences"] = [{"uid": "another"}]
    assert found(replace(CASES[0], deployment=theirs)) is None


def test_messages_are_one_line_and_say_nothing_that_a_registry_answered() -> None:
    answer = "Get https://user:hunter2@registry.example/v2: denied\n"
    fault = found(Case("", "", (trouble("ErrImagePull", message=answer),), GOOD))
    assert fault is not None
    assert "hunter2" not in fault.message
    long = found(Case("", "", (trouble("Error", message="exit\n" * 3000),), GOOD))
    assert long is not None
    assert "\n" not in long.message
    assert len(long.message) <= 1024


def test_words_are_summed_up_as_the_status_does() -> None:
    for reason, words in OWN.items():
        for word in words:
            worst = pods.worst([trouble(word)])
            assert worst is not None
            assert worst[0].word == reason
    known = {word for _, words in pods._WORDS for word in words}
    assert known == set().union(*OWN.values(), {"Unschedulable", "SchedulingGated"})
    assert reasons.DEADLINE_EXCEEDED.word == "DeadlineExceeded"
