"""Revisions as ControllerRevisions keep them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_operator.kinds import CONTROLLER_REVISION
from ragfleet_operator.model import Observation, Ref
from ragfleet_operator.render import rendered
from ragfleet_operator.render.controller_revision import controller_revision
from ragfleet_operator.revisions import stored
from ragfleet_operator.revisions.stored import read
from support.rendering import SETTINGS, make_pipeline
from support.revision_world import Json

PIPELINE = make_pipeline()


def kept(number: int = 1, top_k: int = 5) -> Json:
    made = rendered(make_pipeline({"retrieval.topK": top_k}), SETTINGS, SETTINGS.image, 1, number)
    obj: Json = json.loads(json.dumps(controller_revision(PIPELINE, made).manifest))
    return obj


def seen(*objects: Json) -> Observation:
    return Observation(children={Ref(CONTROLLER_REVISION, obj["metadata"]["name"]): obj for obj in objects})


def test_a_revision_is_read_as_it_was_rendered() -> None:
    made = rendered(make_pipeline({"retrieval.topK": 5}), SETTINGS, SETTINGS.image, 1, 3)
    assert read(kept(3)) == made
    assert stored(seen(kept(3)), PIPELINE)[made.id] == made


@pytest.mark.parametrize(
    "change",
    [
        {"data": None},
        {"data": "text"},
        {"data": {}},
        {"data": {**kept()["data"], "template": {"spec": {}}}},
        {"data": {**kept()["data"], "template": {"metadata": {"labels": [], "annotations": {}}, "spec": {}}}},
        {"data": {**kept()["data"], "configVersion": "1"}},
        {"data": {**kept()["data"], "image": ""}},
        {"metadata": {"name": "handbook-nothex"}},
        {"metadata": None},
    ],
)
def test_what_cannot_be_read_is_not_there(change: Json) -> None:
    assert read({**kept(), **change}) is None
    broken = {**kept(), "data": change.get("data", {})}
    known = stored(seen(broken), PIPELINE)
    assert broken["metadata"]["name"].removeprefix("handbook-") not in known
    assert list(known) == []


def test_more_than_is_known_is_passed_over() -> None:
    obj = kept()
    obj["data"]["more"] = {"by": "a newer operator"}
    assert read(obj) is not None


@settings(max_examples=100, deadline=None)
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["spec", "template", "config", "metadata", "labels"]), inner)
        ),
    )
)
def test_reading_never_raises(data: Any) -> None:
    assert read({**kept(), "data": data}) is None


def test_others_are_not_looked_at() -> None:
    theirs, going, renamed = kept(1, 5), kept(2, 6), kept(3, 7)
    theirs["metadata"]["ownerReferences"][0]["uid"] = "another"
    going["metadata"]["deletionTimestamp"] = "2025-01-31T12:00:00Z"
    renamed["metadata"]["name"] = renamed["metadata"]["name"].replace("handbook", "other")
    assert len(stored(seen(theirs, going, renamed), PIPELINE)) == 0


def test_the_newest_comes_first_and_the_next_number_is_free() -> None:
    objects = [kept(2, 6), kept(7, 7), kept(1, 5)]
    objects[1]["data"] = {}
    known = stored(seen(*objects), PIPELINE)
    assert [obj["metadata"]["name"] for obj in (objects[1], objects[0], objects[2])] == [
        f"handbook-{revision}" for revision in known.newest
    ]
    assert known.next_number == 8
    assert stored(Observation(), PIPELINE).next_number == 1
    assert len(known) == 2


def test_those_of_an_input_are_found_without_reading_the_rest() -> None:
    objects = [kept(number, number) for number in (3, 4, 5)]
    for obj in objects[1:]:
        obj["data"] = "not read"
    wanted = read(objects[0])
    assert wanted is not None
    assert list(stored(seen(*objects), PIPELINE).of_input(wanted.input)) == [wanted]
