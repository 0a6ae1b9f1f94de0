"""Which edits replace pods that an older operator made: those that the table says, and no others.

The older operator had another image and rendered another template, so that whatever is rendered anew shows.
"""

from __future__ import annotations

import copy
from dataclasses import replace
from typing import Any, Final

import pytest

from ragfleet_api.config.versions import CURRENT_VERSION
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Observation, Pipeline, Revision, Settings
from ragfleet_operator.render import render, rendered
from ragfleet_operator.revisions import plan
from support.case import MINIMAL
from support.rendering import EVERY_KIND, SETTINGS, canaries, pipeline_of
from support.roll_specs import with_values, without
from support.rolls import DOES_NOT_ROLL, ROLLS

NEWER: Final = Settings(image="registry.example/ragfleet:2.0.0", cluster="test", namespace="ragfleet-system")
OLD: Final = "0123456789"
# It is for this that people set it.
POLICY: Final = "runtime.upgradePolicy"


def of_the_older(spec: dict[str, Any]) -> Revision:
    """The revision that the older operator made of a spec."""
    pipeline = pipeline_of(spec)
    image = spec.get("runtime", {}).get("image", SETTINGS.image)
    made = rendered(pipeline, SETTINGS, image, CURRENT_VERSION, 1)
    template = copy.deepcopy(dict(made.template))
    template["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] += 1
    return replace(made, id=OLD, template=template)


def running(spec: dict[str, Any]) -> Observation:
    """What is there when the older operator has made the children of a spec and its pods run."""
    children = render(
        pipeline_of(spec), SETTINGS, EVERY_KIND, new_secret=canaries(), revision=of_the_older(spec)
    )
    found: dict[Any, Any] = {}
    for child in children:
        manifest = copy.deepcopy(dict(child.manifest))
        if child.kind == DEPLOYMENT:
            replicas = manifest["spec"].get("replicas", 2)
            numbers = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), replicas)
            manifest["metadata"]["generation"] = 1
            manifest["status"] = {"observedGeneration": 1, **numbers}
        found[child.ref] = manifest
    return replace(EVERY_KIND, children=found, ready_pods={OLD: 1})


def edited(spec: dict[str, Any]) -> Pipeline:
    return replace(pipeline_of(spec), generation=2, status={"revisions": {"current": OLD, "lastGood": OLD}})


def chosen(before: dict[str, Any], after: dict[str, Any]) -> Revision:
    """What the newer operator runs after an edit."""
    return plan(edited(after), NEWER, running(before)).revision


@pytest.mark.parametrize("path", sorted({*DOES_NOT_ROLL} - {POLICY}))
def test_an_edit_of_what_is_beside_pods_leaves_those_of_an_older_operator(path: str) -> None:
    before, *others = with_values(path)
    seen, made = running(before), of_the_older(before)
    for after in (before, *others, *without(path)):
        found = plan(edited(after), NEWER, seen).revision
        assert found.id == OLD
        assert found.template == made.template


@pytest.mark.parametrize("path", ROLLS)
def test_an_edit_of_what_pods_are_made_of_is_rendered_by_the_operator_of_now(path: str) -> None:
    before, after = with_values(path)[:2]
    found = chosen(before, after)
    assert found.id != OLD
    probe = found.template["spec"]["containers"][0]["livenessProbe"]
    assert probe["periodSeconds"] == 10


def test_pods_that_are_to_follow_the_operator_do_and_others_stay() -> None:
    before, after = (
        {**MINIMAL["spec"], "runtime": {"upgradePolicy": policy}} for policy in ("Pinned", "WithOperator")
    )
    found = chosen(before, after)
    assert found.id != OLD
    assert found.image == NEWER.image
    assert chosen(after, before).id == OLD
    assert chosen(before, before).id == OLD


@pytest.mark.parametrize("path", ["requests.deadlineSeconds", "runtime.labels"])
def test_an_edit_keeps_the_image_of_an_older_operator(path: str) -> None:
    before, after = with_values(path)
    assert chosen(before, after).image == SETTINGS.image
