from __future__ import annotations

import hashlib
import json

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_operator import names
from ragfleet_operator.kinds import CONFIG_MAP, DEPLOYMENT
from ragfleet_operator.render import config_of
from support.rendering import SETTINGS, UID, make_pipeline, one, rendered


def test_the_configuration_is_in_an_immutable_map_named_by_its_hash() -> None:
    made = one(rendered(), CONFIG_MAP)
    text = made["data"]["config.json"]
    assert made["immutable"] is True
    digest = hashlib.sha256(text.encode()).hexdigest()[:10]
    assert made["metadata"]["name"] == f"handbook-config-{digest}"
    assert RuntimeConfig.model_validate_json(text) == config_of(make_pipeline(), SETTINGS)


def test_the_owner_of_the_collection_is_the_pipeline_in_its_cluster() -> None:
    text = one(rendered(), CONFIG_MAP)["data"]["config.json"]
    owner = {"cluster": "test", "namespace": "team-a", "name": "handbook", "uid": UID}
    assert json.loads(text)["owner"] == owner


def test_pods_mount_the_map_and_are_replaced_with_it() -> None:
    found = []
    for top_k in (5, 6):
        children = rendered({"retrieval.topK": top_k})
        name = one(children, CONFIG_MAP)["metadata"]["name"]
        template = one(children, DEPLOYMENT)["spec"]["template"]
        (volume,) = [volume for volume in template["spec"]["volumes"] if volume["name"] == "config"]
        assert volume["configMap"]["name"] == name
        assert name.endswith(template["metadata"]["annotations"][names.CONFIG_ANNOTATION])
        found.append(name)
    assert len(set(found)) == 2


def test_what_the_service_does_not_read_leaves_the_pods_alone() -> None:
    before = rendered()
    after = rendered(
        {"exposure": {"type": "Ingress", "ingress": {"host": "a.example"}}, "networkPolicy": {"clients": []}}
    )
    assert one(before, DEPLOYMENT) == one(after, DEPLOYMENT)
    assert one(before, CONFIG_MAP) == one(after, CONFIG_MAP)
