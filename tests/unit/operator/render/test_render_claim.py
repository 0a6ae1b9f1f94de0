from __future__ import annotations

import pytest

from ragfleet_operator.kinds import DEPLOYMENT, PVC
from support.rendering import of_kind, one, rendered
from support.sections import QDRANT


def test_the_embedded_engine_has_a_claim_and_the_pod_mounts_it() -> None:
    children = rendered()
    claim = one(children, PVC)
    assert claim["metadata"]["name"] == "handbook-data"
    assert claim["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "10Gi"}},
    }
    volumes = one(children, DEPLOYMENT)["spec"]["template"]["spec"]["volumes"]
    assert {"name": "data", "persistentVolumeClaim": {"claimName": "handbook-data"}} in volumes


def test_its_size_and_class_are_those_of_the_pipeline() -> None:
    storage = {"size": "2.5Ti", "storageClassName": "fast"}
    spec = one(rendered({"vectorStore.embedded": {"storage": storage}}), PVC)["spec"]
    assert spec["resources"]["requests"]["storage"] == "2.5Ti"
    assert spec["storageClassName"] == "fast"


@pytest.mark.parametrize(("policy", "owned"), [(None, False), ("Retain", False), ("Delete", True)])
def test_a_claim_to_be_retained_is_nobodys(policy: str | None, *, owned: bool) -> None:
    (claim,) = of_kind(rendered({"vectorStore.deletionPolicy": policy} if policy else {}), PVC)
    assert claim.owned is owned
    assert ("ownerReferences" in claim.manifest["metadata"]) is owned


def test_with_a_server_there_is_none_and_the_folder_goes_with_the_pod() -> None:
    children = rendered({"vectorStore": QDRANT})
    assert of_kind(children, PVC) == []
    volumes = one(children, DEPLOYMENT)["spec"]["template"]["spec"]["volumes"]
    (data,) = [volume for volume in volumes if volume["name"] == "data"]
    assert "emptyDir" in data
