"""What is remembered of a render is what a fresh one would give."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragfleet_operator.engine.drift import digest
from ragfleet_operator.engine.renders import Renders
from ragfleet_operator.engine.wanted import IDENTITY, Wanted
from ragfleet_operator.kinds import CONTROLLER_REVISION, OPTIONAL, SECRET
from ragfleet_operator.model import Child, Object, Pipeline, Ref, Settings, Way
from ragfleet_operator.render import Inputs, inputs_of
from ragfleet_operator.render import rendered as revision_of
from support.drawn_specs import drawn_specs
from support.rendering import CANARY, SETTINGS, UID, canaries, make_pipeline, pipeline_of
from support.sections import EXPOSURES

IMAGE = "registry.example/ragfleet:1"


def inputs(pipeline: Pipeline, *, of: Pipeline | None = None, **more: Any) -> Inputs:
    """Of a pipeline whose pods are of its specification, or (of) of another's."""
    revision = revision_of(of or pipeline, SETTINGS, IMAGE, 1, 1)
    return inputs_of(pipeline, SETTINGS, OPTIONAL, revision, **more)


def ensured(children: tuple[Wanted, ...] | tuple[Child, ...]) -> dict[Ref, Object]:
    """What is there once all that is made once was made."""
    return {child.ref: {} for child in children if child.way is Way.ENSURED}


def agree(wanted: tuple[Wanted, ...], fresh: tuple[Child, ...], there: set[Ref]) -> None:
    """What is wanted is what was rendered afresh, as far as it may have to be written."""
    assert [(child.ref, child.way) for child in wanted] == [(child.ref, child.way) for child in fresh]
    for child, made in zip(wanted, fresh, strict=True):
        if child.way is Way.APPLIED:
            assert child.manifest == made.manifest
            assert child.mark == digest(made.manifest)
            continue
        assert {name: child.manifest[name] for name in IDENTITY} == {
            name: made.manifest[name] for name in IDENTITY
        }
        if child.ref not in there:
            assert child.can_be_made
        if child.can_be_made and child.kind == SECRET:
            assert child.manifest["stringData"].keys() == made.manifest["stringData"].keys()
        elif child.can_be_made:
            assert child.manifest == made.manifest


@dataclass(frozen=True)
class _Step:
    """One pass: which of the drawn values it sees."""

    spec: int
    of: int
    settings: int
    kinds: int
    uid: int
    digest: int
    rotated: int
    gone: int


STEPS = st.lists(
    st.builds(_Step, *[st.integers(0, 1)] * 7, st.sampled_from([0, 0, 0, 1, 2, 3])), min_size=2, max_size=12
)
SETTINGS_OF = (SETTINGS, Settings(image="registry.example/ragfleet:9", cluster="other", namespace="ops"))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(drawn_specs(), min_size=2, max_size=2), STEPS)
def test_whatever_happens_in_whichever_order_it_is_what_a_fresh_render_gives(
    specs: list[Any], steps: list[_Step]
) -> None:
    # So that the kinds that a cluster may lack count.
    specs[1] = {**specs[1], "exposure": EXPOSURES["HTTPRoute"], "monitoring": {"serviceMonitor": {}}}
    renders, pipelines = Renders(), [pipeline_of(spec) for spec in specs]
    revisions = [
        revision_of(pipeline, SETTINGS_OF[0], IMAGE, 1, number) for number, pipeline in enumerate(pipelines)
    ]
    there: dict[Ref, Object] = {}
    for step in steps:
        pipeline = replace(pipelines[step.spec], uid=(UID, "another")[step.uid])
        value = inputs_of(
            pipeline,
            SETTINGS_OF[step.settings],
            (OPTIONAL, frozenset())[step.kinds],
            revisions[step.of],
            ("", "digest")[step.digest],
            ("", "2026-01-01T00:00:00Z")[step.rotated],
        )
        for ref in sorted(there)[: step.gone]:
            there.pop(ref)
        found = renders.children(value, there, canaries())
        agree(found, value.children(there, canaries()), set(there))
        there |= ensured(found)


def test_the_same_inputs_are_rendered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    renders, value = Renders(), inputs(make_pipeline({"auth": {"apiKeys": {}}}))
    there = ensured(renders.children(value, {}, canaries()))
    fresh = value.children(there, canaries())
    with monkeypatch.context() as patch:
        patch.setattr(Inputs, "children", _fails)
        agree(renders.children(value, there, _fails), fresh, set(there))
        for other in (replace(value, uid="another"), inputs(make_pipeline({"replicas": 1}))):
            with pytest.raises(AssertionError, match="rendered"):
                renders.children(other, there, canaries())
        renders.forget(value.key)
        with pytest.raises(AssertionError, match="rendered"):
            renders.children(value, there, canaries())


@pytest.mark.parametrize("kind", [SECRET, CONTROLLER_REVISION], ids=lambda kind: kind.kind)
def test_what_is_made_once_is_rendered_anew_where_it_is_gone(kind: Any) -> None:
    renders, value = Renders(), inputs(make_pipeline())
    there = ensured(renders.children(value, {}, canaries()))
    gone = next(ref for ref in there if ref.kind == kind)
    left = {ref: obj for ref, obj in there.items() if ref != gone}
    found = {child.ref: child for child in renders.children(value, left, canaries())}
    assert found[gone].can_be_made
    assert not any(found[ref].can_be_made for ref in left if ref.kind == SECRET)


def test_values_of_secrets_are_not_remembered() -> None:
    renders, value = Renders(), inputs(make_pipeline())
    made = renders.children(value, {}, canaries())
    assert CANARY in repr([child.manifest for child in made])
    assert CANARY not in repr(made)
    assert CANARY.encode() in pickle.dumps(made)
    assert CANARY.encode() not in pickle.dumps(renders)
    assert CANARY not in repr([child.manifest for child in renders.children(value, ensured(made), _fails)])


def test_nobody_can_change_what_is_remembered() -> None:
    renders, value = Renders(), inputs(make_pipeline())
    there = ensured(renders.children(value, {}, canaries()))
    for child in renders.children(value, there, _fails):
        child.manifest["metadata"].clear()
    agree(renders.children(value, there, _fails), value.children(there, _fails), set(there))


def _fails(*_: Any) -> Any:
    raise AssertionError("it was rendered, or asked for a key")
