from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.kinds import DEPLOYMENT
from support.rendering import one, rendered
from support.sections import GENERATORS, MODELS, QDRANT


def pod(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = one(rendered(changes), DEPLOYMENT)["spec"]["template"]["spec"]
    return found


def mounts(changes: dict[str, Any] | None = None) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """The volume and the mount at each path."""
    found = pod(changes)
    volumes = {volume["name"]: volume for volume in found["volumes"]}
    made = {
        mount["mountPath"]: (volumes.pop(mount["name"]), mount)
        for mount in found["containers"][0]["volumeMounts"]
    }
    assert not volumes, "each volume is mounted"
    return made


def secrets(changes: dict[str, Any]) -> dict[str, list[str] | None]:
    """The entries that are mounted of each Secret; None for all of them."""
    found: dict[str, list[str] | None] = {}
    for path, (volume, mount) in mounts(changes).items():
        if "secret" in volume:
            name = volume["secret"]["secretName"]
            assert (path, mount["readOnly"]) == (f"/etc/ragfleet/secrets/{name}", True)
            items = volume["secret"].get("items")
            assert all(item["key"] == item["path"] for item in items or ())
            found[name] = items and [item["key"] for item in items]
    return found


def test_the_token_of_the_admin_port_is_always_there() -> None:
    assert secrets({}) == {"handbook-admin": ["token"]}


def test_keys_of_callers_are_mounted_as_a_whole() -> None:
    assert secrets({"auth": {"required": True}})["handbook-api-keys"] is None
    assert secrets({"auth": {"apiKeys": {"secretRef": {"name": "callers"}}}})["callers"] is None


def test_of_other_secrets_only_what_the_service_reads_is_mounted() -> None:
    server = {
        **QDRANT["qdrant"],
        "apiKeySecretRef": {"name": "a.b", "key": "token"},
        "caSecretRef": {"name": "a.b", "key": "ca.crt"},
    }
    fallback = {"name": "b", **GENERATORS["Anthropic"]}
    changes = {
        "vectorStore": {**QDRANT, "qdrant": server},
        "generation": {**GENERATORS["OpenAI"], "fallbacks": [fallback]},
    }
    assert secrets(changes) == {
        "handbook-admin": ["token"],
        "a.b": ["ca.crt", "token"],
        "keys": ["token"],
    }


@pytest.mark.parametrize("name", ["keys", "a"])
def test_a_secret_of_callers_and_of_a_provider_is_mounted_once_as_a_whole(name: str) -> None:
    generation = {"type": "OpenAI", "openAI": {"model": "m", "apiKeySecretRef": {"name": name, "key": "x"}}}
    changes = {"generation": generation, "auth": {"apiKeys": {"secretRef": {"name": name}}}}
    assert secrets(changes) == {"handbook-admin": ["token"], name: None}


def test_models_of_a_claim_are_mounted_for_reading() -> None:
    volume, mount = mounts({"runtime.models": MODELS["PersistentVolumeClaim"]})["/models"]
    assert volume["persistentVolumeClaim"] == {"claimName": "models", "readOnly": True}
    assert mount["readOnly"] is True


def test_models_of_an_image_are_mounted_for_reading() -> None:
    image = {"reference": "registry.example/models:1", "pullPolicy": "Always"}
    volume, mount = mounts({"runtime.models": {"type": "Image", "image": image}})["/models"]
    assert volume["image"] == image
    assert mount["readOnly"] is True


def test_certificates_are_mounted_where_the_environment_says() -> None:
    changes = {"runtime.caBundle": {"configMapName": "authorities", "key": "bundle.pem"}}
    volume, _ = mounts(changes)["/etc/ragfleet/ca"]
    assert volume["configMap"]["name"] == "authorities"
    (item,) = volume["configMap"]["items"]
    assert item["key"] == "bundle.pem"
    environment = {variable["name"]: variable for variable in pod(changes)["containers"][0]["env"]}
    assert environment["SSL_CERT_FILE"]["value"] == f"/etc/ragfleet/ca/{item['path']}"


def test_what_is_written_has_an_end() -> None:
    for path in ("/tmp", "/var/lib/ragfleet"):
        volume, mount = mounts({"vectorStore": QDRANT})[path]
        assert volume["emptyDir"]["sizeLimit"]
        assert "readOnly" not in mount
