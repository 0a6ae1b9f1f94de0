"""What holds whatever is seen."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_api.status import RAGPipelineStatus
from ragfleet_operator.kinds import CHILDREN, DEPLOYMENT, PVC, SERVICE
from ragfleet_operator.model import (
    ChildFault,
    Fault,
    Missing,
    Observation,
    Pipeline,
    PodTrouble,
    Ref,
    Report,
)
from ragfleet_operator.status import (
    Urgency,
    assess,
    assess_invalid,
    assess_suspended,
    is_settled,
    patch,
    transitions,
    urgency,
)
from ragfleet_operator.status.conditions import ALLOWED
from ragfleet_operator.status.workload import fewest_replicas
from support.observations import KEY, QDRANT, START, conditions, pipeline
from support.rendering import UID

TEXT = st.text(max_size=8) | st.sampled_from(["", "two\nlines", "\x00\u2028\ud800", "long and " * 300])
SMALL = st.integers(0, 3)
PIPELINES: list[Pipeline] = [
    pipeline(changes)
    for changes in (
        {},
        {"replicas": 0},
        QDRANT,
        {**QDRANT, "replicas": 2},
        {**QDRANT, "autoscaling": {}},
        {**QDRANT, "autoscaling": {"minReplicas": 1, "maxReplicas": 3}},
    )
]


def metadata(name: str = KEY.name) -> st.SearchStrategy[dict[str, Any]]:
    owner = st.sampled_from([[{"uid": UID}], [{"uid": UID}], [{"uid": "other"}], []])
    return st.fixed_dictionaries(
        {"name": st.just(name)},
        optional={
            "generation": SMALL,
            "ownerReferences": owner,
            "deletionTimestamp": st.just("2025-01-31T12:00:00Z"),
        },
    )


COUNTED = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
COUNTS = st.fixed_dictionaries(
    {}, optional=dict.fromkeys((*COUNTED, "unavailableReplicas", "observedGeneration"), SMALL)
)
DEPLOYMENT_CONDITIONS = st.lists(
    st.fixed_dictionaries(
        {
            "type": st.sampled_from(["Available", "Progressing", "ReplicaFailure"]),
            "status": st.sampled_from(["True", "False", "Unknown"]),
        },
        optional={
            "reason": st.sampled_from(["ProgressDeadlineExceeded", "FailedCreate"]),
            "message": TEXT | st.just('pods "x" is forbidden: exceeded quota: q'),
        },
    ),
    max_size=3,
)


DEPLOYMENTS = st.fixed_dictionaries(
    {"metadata": metadata()},
    optional={
        "spec": st.fixed_dictionaries({}, optional={"replicas": SMALL, "template": st.just({})}),
        "status": st.builds(
            lambda counts, found: {**counts, "conditions": found}, COUNTS, DEPLOYMENT_CONDITIONS
        ),
    },
)
CLAIMS = st.builds(
    lambda phase: {"metadata": {"name": f"{KEY.name}-data"}, "status": {"phase": phase}},
    st.sampled_from(["Pending", "Bound", "Lost"]),
)


@st.composite
def children(draw: st.DrawFn) -> dict[Ref, Any]:
    found: dict[Ref, Any] = {}
    if draw(st.integers(0, 3)):
        found[Ref(DEPLOYMENT, KEY.name)] = draw(DEPLOYMENTS)
    if draw(st.integers(0, 3)):
        owned = st.just({"name": KEY.name, "ownerReferences": [{"uid": UID}]})
        found[Ref(SERVICE, KEY.name)] = {"metadata": draw(owned | metadata())}
    if draw(st.integers(0, 3)):
        found[Ref(PVC, f"{KEY.name}-data")] = draw(CLAIMS)
    return found


FAULTS = st.lists(
    st.builds(
        ChildFault,
        st.builds(Ref, st.sampled_from(CHILDREN), st.just(KEY.name)),
        st.sampled_from(Fault),
        TEXT,
    ),
    max_size=3,
)
MISSING = st.lists(
    st.builds(
        Missing,
        st.sampled_from(["Secret", "ConfigMap", "PersistentVolumeClaim", "ServiceAccount", "Other"]),
        TEXT,
        st.just("") | TEXT,
        TEXT,
    ),
    max_size=12,
)
WORDS = ["CrashLoopBackOff", "ErrImagePull", "Unschedulable", "CreateContainerError", "FailedMount"]
TROUBLES = st.lists(st.builds(PodTrouble, TEXT, st.sampled_from(WORDS) | TEXT, TEXT, SMALL), max_size=3)
TOTALS = st.none() | st.integers(0, 2**40)
ODD: dict[str, st.SearchStrategy[Any]] = {
    "faults": FAULTS,
    "missing": st.none() | MISSING,
    "held_fingerprint": st.just("0badcafe"),
    "service": st.none(),
    "going": st.none(),
}
REPORTS = st.builds(
    Report,
    st.none() | TEXT,
    st.none() | st.booleans(),
    TEXT | st.sampled_from(["x belongs to y", "whose index was built with z"]),
    st.sampled_from(["", "team-a-handbook-3f9a12cd"]),
    TOTALS,
    TOTALS,
    TOTALS,
)
SELDOM: st.SearchStrategy[bool] = st.integers(0, 6).map(lambda number: number == 3)


def anything() -> st.SearchStrategy[Observation]:
    return st.builds(
        Observation,
        children=children(),
        faults=FAULTS,
        missing=st.none() | MISSING,
        troubles=TROUBLES,
        held_fingerprint=st.none() | st.just("0badcafe"),
        report=st.none() | REPORTS,
    )


@st.composite
def nearly_well(draw: st.DrawFn, subject: Pipeline) -> Observation:
    """A complete Deployment of a pipeline, in most cases with one thing that isn't as it should be."""
    count = fewest_replicas(subject.spec) + (subject.spec.autoscaling is not None) * draw(SMALL)
    generation = draw(SMALL)
    status: dict[str, Any] = {"observedGeneration": generation, **dict.fromkeys(COUNTED, count)}
    found = draw(children())
    found[Ref(SERVICE, KEY.name)] = {"metadata": {"name": KEY.name, "ownerReferences": [{"uid": UID}]}}
    owned = {"name": KEY.name, "generation": generation, "ownerReferences": [{"uid": UID}]}
    fields: dict[str, Any] = {"missing": ()}
    wrong = draw(st.sampled_from(["", "", "", "count", "report", "troubles", *ODD]))
    if wrong == "count":
        name = draw(st.sampled_from([*COUNTED, "observedGeneration", "unavailableReplicas"]))
        status[name] = draw(SMALL)
    elif wrong == "service":
        found[Ref(SERVICE, KEY.name)] = {"metadata": draw(metadata())}
    elif wrong == "going":
        owned["deletionTimestamp"] = "2025-01-31T12:00:00Z"
    elif wrong:
        fields[wrong] = draw({**ODD, "report": REPORTS, "troubles": TROUBLES}[wrong])
    found[Ref(DEPLOYMENT, KEY.name)] = {"metadata": owned, "spec": {"replicas": count}, "status": status}
    return Observation(children=found, **fields)


@st.composite
def passes(draw: st.DrawFn) -> list[tuple[Pipeline, Observation, str]]:
    """A few passes over one pipeline, with the way in which each is assessed."""
    found, generation = [], 1
    for _ in range(draw(st.integers(1, 4))):
        generation += draw(st.integers(0, 1))
        subject = replace(draw(st.sampled_from(PIPELINES)), generation=generation)
        way = "suspended" if draw(SELDOM) else "invalid" if draw(SELDOM) else "assessed"
        observation = draw(anything() if draw(SELDOM) else nearly_well(subject))
        found.append((subject, observation, way))
    return found


def status_of(subject: Pipeline, observation: Observation, way: str, seconds: int) -> dict[str, Any]:
    now = START + timedelta(seconds=seconds)
    if way == "suspended":
        return assess_suspended(subject, observation, now)
    if way == "invalid":
        return assess_invalid(KEY, subject.generation, subject.status, "bad\nspec", now)
    return assess(subject, observation, now)


def replayed(
    story: list[tuple[Pipeline, Observation, str]],
) -> list[tuple[Pipeline, Observation, str, dict[str, Any]]]:
    """Each pass with the status that it gives, stored for the next."""
    status: dict[str, Any] = {"observedGeneration": -1}
    found = []
    for seconds, (subject, observation, way) in enumerate(story):
        current = replace(subject, status=status)
        status = status_of(current, observation, way, seconds)
        found.append((current, observation, way, status))
    return found


@settings(deadline=None)
@given(passes())
def test_a_status_is_valid_and_says_only_what_its_conditions_may(
    story: list[tuple[Pipeline, Observation, str]],
) -> None:
    for subject, _, way, status in replayed(story):
        RAGPipelineStatus.model_validate(status, by_name=False)
        found = conditions(status)
        assert status["observedGeneration"] == subject.generation
        for type_, condition in found.items():
            allowed = ALLOWED[type_][condition["status"]]
            assert condition["reason"] in [reason.word for reason in allowed]
            assert condition["message"]
            assert condition["message"].isprintable()
            assert len(condition["message"]) <= 1000
            assert way == "invalid" or condition["observedGeneration"] == subject.generation
        is_ready = found["Ready"]["status"] == "True"
        summaries = {"Reconciling", "Stalled", "Suspended"} & found.keys()
        assert len(summaries) == (0 if is_ready else 1)
        assert is_settled(status) == ("Reconciling" not in found)


@settings(deadline=None)
@given(passes())
def test_once_more_is_the_same(story: list[tuple[Pipeline, Observation, str]]) -> None:
    for subject, observation, way, status in replayed(story):
        again = status_of(replace(subject, status=status), observation, way, 1000)
        assert again == status
        assert urgency(status, again) is Urgency.NONE
        assert transitions(status, again) == ()
        assert patch(status, again) == {}


@settings(deadline=None)
@given(passes())
def test_a_time_is_that_of_the_last_change_of_status(story: list[tuple[Pipeline, Observation, str]]) -> None:
    before: dict[str, Any] = {}
    for seconds, (_, _, way, status) in enumerate(replayed(story)):
        now = (START + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        after = conditions(status)
        for type_, condition in after.items():
            kept = before.get(type_)
            is_same = kept is not None and kept["status"] == condition["status"]
            expected = kept["lastTransitionTime"] if kept is not None and is_same else now
            assert condition["lastTransitionTime"] == expected, (way, type_)
        before = after


@settings(deadline=None)
@given(passes())
def test_events_come_with_a_changed_status_or_reason_and_each_reason_once(
    story: list[tuple[Pipeline, Observation, str]],
) -> None:
    old: dict[str, Any] = {"observedGeneration": -1}
    for _, _, _, status in replayed(story):
        before = conditions(old) if "conditions" in old else {}
        after = conditions(status)
        events = transitions(old, status)
        assert len({event.reason for event in events}) == len(events)
        for event in events:
            if event.reason == "Resumed":
                assert "Suspended" in before and "Suspended" not in after
                continue
            flipped = [
                type_
                for type_, condition in after.items()
                if condition["reason"] == event.reason
                and (
                    type_ not in before
                    or condition["status"] != before[type_]["status"]
                    or condition["reason"] != before[type_]["reason"]
                )
            ]
            assert flipped
        old = status


@settings(deadline=None)
@given(passes())
def test_ready_is_never_said_early(story: list[tuple[Pipeline, Observation, str]]) -> None:
    for subject, observation, way, status in replayed(story):
        found = conditions(status)
        if found["Ready"]["status"] != "True":
            continue
        assert way == "assessed"
        assert not observation.faults
        assert observation.missing is not None
        assert not observation.missing
        assert observation.held_fingerprint is None
        assert found["Ready"]["observedGeneration"] == subject.generation
        live = observation.children[Ref(DEPLOYMENT, KEY.name)]
        service = observation.children[Ref(SERVICE, KEY.name)]
        for child in (live, service):
            assert {"uid": UID} in child["metadata"]["ownerReferences"]
            assert "deletionTimestamp" not in child["metadata"]
        counts = live.get("status", {})
        updated, replicas, available = (
            counts.get(name, 0) for name in ("updatedReplicas", "replicas", "availableReplicas")
        )
        is_observed = live["metadata"].get("generation", 0) == counts.get("observedGeneration", -1)
        assert updated == replicas
        scaling = subject.spec.autoscaling
        if scaling is None:
            wanted = 1 if subject.spec.replicas is None else subject.spec.replicas
            assert is_observed
            assert replicas == available == live["spec"].get("replicas", 1) == wanted
            assert counts.get("unavailableReplicas", 0) == 0
        else:
            stored = conditions(subject.status).get("Ready", {}) if "conditions" in subject.status else {}
            was_ready = stored.get("status") == "True" and stored["observedGeneration"] == subject.generation
            assert is_observed or was_ready
            assert available >= (scaling.min_replicas or 2)
        if subject.spec.vector_store.type == "Embedded":
            claim = observation.children.get(Ref(PVC, f"{KEY.name}-data"), {})
            assert claim.get("status", {}).get("phase") != "Lost"
        assert all(found[type_]["status"] != "False" for type_ in ("VectorStoreReachable", "IndexReady"))


@settings(deadline=None)
@given(anything(), st.randoms(use_true_random=False))
def test_the_order_in_which_things_are_seen_does_not_matter(observation: Observation, random: Any) -> None:
    def shuffled(items: Any) -> Any:
        return None if items is None else random.sample(list(items), len(items))

    other = Observation(
        children=dict(shuffled(observation.children.items())),
        faults=shuffled(observation.faults),
        missing=shuffled(observation.missing),
        troubles=shuffled(observation.troubles),
        held_fingerprint=observation.held_fingerprint,
        report=observation.report,
    )
    assert assess(PIPELINES[0], observation, START) == assess(PIPELINES[0], other, START)
