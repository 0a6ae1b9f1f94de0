from __future__ import annotations

import hashlib
import json
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, given, settings

from ragfleet_api.config.versions import CURRENT_VERSION, ConfigVersionError
from ragfleet_api.schema import structural_schema
from ragfleet_api.spec import RAGPipelineSpec
from ragfleet_operator import names
from ragfleet_operator.kinds import CONTROLLER_REVISION, DEPLOYMENT
from ragfleet_operator.model import Revision, Settings, Way
from ragfleet_operator.render import rendered
from ragfleet_operator.render.concern import as_json
from support.drawn_specs import drawn_specs
from support.rendering import SETTINGS, make_pipeline, of_kind, one, pipeline_of
from support.rendering import rendered as rendered_children
from support.rolls import DOES_NOT_ROLL
from support.sections import EXPOSURES, QDRANT, Json, around, leaves, valid_values

LEAVES: Final = dict(leaves(structural_schema(RAGPipelineSpec)))


def revision(
    changes: dict[str, Any] | None = None, image: str = "a:1", given_: Settings = SETTINGS
) -> Revision:
    return rendered(make_pipeline(changes), given_, image, CURRENT_VERSION, 1)


def test_the_id_is_a_hash_of_the_template_without_what_is_added_when_it_is_applied() -> None:
    found = revision()
    text = json.dumps(found.template, sort_keys=True, separators=(",", ":"))
    assert found.id == hashlib.sha256(text.encode()).hexdigest()[:10]
    assert names.REVISION_LABEL not in found.template["metadata"]["labels"]


def test_what_is_kept_is_all_that_going_back_needs() -> None:
    children = rendered_children({"retrieval.topK": 3})
    (child,) = of_kind(children, CONTROLLER_REVISION)
    metadata, data = child.manifest["metadata"], child.manifest["data"]
    made = rendered(make_pipeline({"retrieval.topK": 3}), SETTINGS, SETTINGS.image, CURRENT_VERSION, 1)
    assert child.way is Way.ENSURED
    assert metadata["name"] == f"handbook-{made.id}"
    assert metadata["labels"] == {names.REVISION_LABEL: made.id, **names.labels("handbook")}
    assert metadata["annotations"] == {names.INPUT_ANNOTATION: made.input}
    assert child.manifest["revision"] == 1
    assert data == {
        "spec": as_json(make_pipeline({"retrieval.topK": 3}).spec),
        "template": made.template,
        "config": made.config,
        "configVersion": CURRENT_VERSION,
        "image": SETTINGS.image,
        "namesImage": False,
    }
    label = one(children, DEPLOYMENT)["spec"]["template"]["metadata"]["labels"][names.REVISION_LABEL]
    assert label == made.id


@pytest.mark.parametrize(
    "changes",
    [
        {"vectorStore": QDRANT, "replicas": 3},
        {"vectorStore": QDRANT, "autoscaling": {}},
        {"vectorStore": QDRANT, "exposure": EXPOSURES["Ingress"], "networkPolicy": {"clients": []}},
        {"vectorStore": QDRANT, "monitoring": {"serviceMonitor": {}}},
        {"vectorStore": QDRANT, "suspend": True, "upgrade": {"rollback": "Never"}},
        {"vectorStore": QDRANT, "runtime": {"upgradePolicy": "WithOperator"}},
        {"vectorStore": QDRANT, "runtime": {"serviceAccount": {"annotations": {"iam.example/role": "a"}}}},
        {"vectorStore": {**QDRANT, "deletionPolicy": "Retain"}},
        {"vectorStore": QDRANT, "runtime": {"image": "a:1"}},
    ],
)
def test_what_pods_are_not_made_of_is_not_in_the_input(changes: dict[str, Any]) -> None:
    found, plain = revision(changes), revision({"vectorStore": QDRANT})
    assert (found.input, found.id) == (plain.input, plain.id)


def test_the_claim_of_the_embedded_engine_is_not_in_the_input() -> None:
    store = {"type": "Embedded", "deletionPolicy": "Delete", "embedded": {"storage": {"size": "1Gi"}}}
    assert revision({"vectorStore": store}).input == revision().input


def test_what_pods_are_made_of_is_in_the_input() -> None:
    found = {
        revision().input,
        revision(image="a:2").input,
        revision({"retrieval.topK": 3}).input,
        revision({"vectorStore": QDRANT}).input,
        revision({"runtime": {"serviceAccount": {"name": "own"}}}).input,
        revision(given_=Settings(image="a:1", cluster="another")).input,
    }
    assert len(found) == 6


def test_the_image_of_the_operator_counts_only_where_it_is_taken() -> None:
    assert revision(given_=Settings(image="b:9", cluster="test")) == revision()


def test_a_form_of_the_configuration_that_cannot_be_written_is_an_error() -> None:
    with pytest.raises(ConfigVersionError, match="configVersion 99"):
        rendered(make_pipeline(), SETTINGS, "a:1", 99, 1)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(drawn_specs())
def test_a_specification_that_is_kept_is_read_as_it_was(spec: Json) -> None:
    pipeline = pipeline_of(spec)
    kept = json.loads(json.dumps(as_json(pipeline.spec)))
    assert RAGPipelineSpec.model_validate(kept, by_name=False) == pipeline.spec


@pytest.mark.parametrize("path", sorted(LEAVES))
def test_equal_inputs_give_equal_templates_whichever_field_is_edited(path: str) -> None:
    edits = (around(path, value) for value in valid_values(path, LEAVES[path]))
    found = [revision(changes) for changes in edits]
    by_input = {made.input: made.id for made in found}
    assert all(by_input[made.input] == made.id for made in found)


@pytest.mark.parametrize("path", DOES_NOT_ROLL)
def test_an_edit_that_does_not_roll_pods_leaves_the_input(path: str) -> None:
    edits = (around(path, value) for value in valid_values(path, LEAVES[path]))
    assert len({revision(changes).input for changes in edits}) == 1
