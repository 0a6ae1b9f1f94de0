"""What children are rendered from, as one value: whatever changes them changes it."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ragfleet_operator.kinds import CHILDREN, HTTP_ROUTE, SECRET, SERVICE_MONITOR
from ragfleet_operator.model import Key, Observation, Pipeline, Ref, Revision, Settings
from ragfleet_operator.render import Inputs, inputs_of, render
from ragfleet_operator.render import rendered as revision_of
from ragfleet_operator.render.concern import as_json
from support.drawn_specs import drawn_specs
from support.rendering import SETTINGS, canaries, make_pipeline, pipeline_of
from support.sections import Json

PIPELINE = make_pipeline()
REVISION = revision_of(PIPELINE, SETTINGS, "registry.example/ragfleet:1", 1, 1)
INPUTS = inputs_of(PIPELINE, SETTINGS, frozenset({*CHILDREN}), REVISION, "digest", "2026-01-01T00:00:00Z")

REVISION_PARTS: list[dict[str, Any]] = [
    {"id": "0123456789"},
    {"number": 2},
    {"input": "another"},
    {"spec": {"a": 1}},
    {"template": {"metadata": {}}},
    {"config": "{}"},
    {"config_version": 2},
    {"image": "a:2"},
    {"names_image": True},
]
OTHER: dict[str, list[Any]] = {
    "key": [Key("team-a", "other"), Key("team-b", "handbook")],
    "uid": ["another"],
    "spec": [make_pipeline({"retrieval.topK": 9}).spec, make_pipeline({"upgrade": {}}).spec],
    "settings": [replace(SETTINGS, **{field.name: "another"}) for field in fields(Settings)],
    "kinds": [frozenset(), frozenset({HTTP_ROUTE}), frozenset({SERVICE_MONITOR})],
    "revision": [replace(REVISION, **part) for part in REVISION_PARTS],
    "secrets_digest": ["another", ""],
    "rotated_at": ["another", ""],
}


def test_each_part_changes_the_identity_and_no_part_is_forgotten() -> None:
    assert OTHER.keys() == {field.name for field in fields(Inputs)}
    assert [*map(dict.keys, REVISION_PARTS)] == [{field.name} for field in fields(Revision)]
    found = {INPUTS.digest()}
    values = [replace(INPUTS, **{name: value}) for name, values in OTHER.items() for value in values]
    found |= {value.digest() for value in values}
    assert len(found) == 1 + len(values)


def test_the_same_parts_have_the_same_identity_in_whichever_order_they_are_written() -> None:
    template = dict(reversed(dict(REVISION.template).items()))
    spec = pipeline_of(dict(reversed(as_json(PIPELINE.spec).items()))).spec
    again = replace(INPUTS, spec=spec, revision=replace(REVISION, template=template))
    assert again.digest() == INPUTS.digest()


def test_what_cannot_be_written_as_json_is_refused() -> None:
    with pytest.raises(TypeError):
        replace(INPUTS, secrets_digest=object()).digest()  # type: ignore[arg-type]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn_specs(), st.sets(st.sampled_from(["handbook-admin", "handbook-api-keys"])), st.data())
def test_the_inputs_give_what_a_render_of_all_that_is_seen_gives(
    spec: Json, there: set[str], data: st.DataObject
) -> None:
    kinds = frozenset(data.draw(st.sets(st.sampled_from(CHILDREN))))
    plain = pipeline_of(spec)
    revision = revision_of(plain, SETTINGS, "registry.example/ragfleet:1", 1, 1)
    status = {"observedGeneration": 3, "revisions": {"current": revision.id}}
    pipeline = Pipeline(plain.key, plain.uid, 7, plain.spec, status, {"ragfleet.dev/pin-revision": "x"})
    children: dict[Ref, Any] = {Ref(SECRET, name): {"metadata": {"name": name}} for name in there}
    children |= {Ref(kind, "handbook"): {"metadata": {"name": "handbook"}} for kind in CHILDREN}
    seen = Observation(children=children, kinds=kinds, ready_pods={"x": 1}, refusal="y")
    how: dict[str, Any] = {"secrets_digest": "abc", "rotated_at": "2026-01-01T00:00:00Z"}
    made = render(pipeline, SETTINGS, seen, new_secret=canaries(), revision=revision, **how)
    inputs = inputs_of(pipeline, SETTINGS, kinds, revision, **how)
    assert inputs.children(children, canaries()) == made
