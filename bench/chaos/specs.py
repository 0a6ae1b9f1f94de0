"""Specifications at random: what people ask for, good and bad."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any, Final

from support.cluster_pipelines import pipeline

REGISTRY: Final = "registry.example/ragfleet"
_GOOD: Final = ("v1", "v2", "v3", "slow-1", "slow-3")
BROKEN: Final = frozenset({"crash", "unready", "pull-failure"})
# Of each name's number: the engine of a pipeline can't be changed, and volumes are few.
_EMBEDDED_ONE_IN: Final = 12
_KEYED_ONE_IN: Final = 5
KEY_SECRET: Final = "llm"
_KEYED: Final = {
    "type": "OpenAI",
    "openAI": {
        "baseURL": "http://llm.example:8000/v1",
        "model": "small",
        "apiKeySecretRef": {"name": KEY_SECRET, "key": "token"},
    },
}
_EMBEDDED: Final = {"type": "Embedded", "embedded": {"storage": {"size": "1Gi"}}}


def drawn_manifest(name: str, chance: random.Random) -> dict[str, Any]:
    """A pipeline whose changeable settings are drawn; the others follow from its number."""
    number = int(name.rpartition("-")[2])
    embedded = number % _EMBEDDED_ONE_IN == 0
    spec: dict[str, Any] = {
        "runtime": {"image": f"{REGISTRY}:{_tag(chance)}"},
        "retrieval": {"mode": "Sparse", "topK": chance.randint(3, 12)},
        "suspend": chance.random() < 0.04,
        "upgrade": {"deadlineSeconds": 30},
    }
    if number % _KEYED_ONE_IN == 1:
        spec["generation"] = _KEYED
    if embedded:
        spec |= {"vectorStore": _EMBEDDED, "replicas": None}
    else:
        spec |= _scale(chance)
    if chance.random() < 0.3:
        spec["exposure"] = {"type": "Ingress", "ingress": {"host": f"{name}.example"}}
    return pipeline(name, **spec)


def is_broken(obj: Mapping[str, Any]) -> bool:
    """Whether the pods that a pipeline asks for can't get ready."""
    image: str = obj["spec"].get("runtime", {}).get("image", "")
    return image.rpartition(":")[2] in BROKEN


def key_secret(value: str, *, watched: bool) -> dict[str, Any]:
    """The Secret that some pipelines refer to."""
    labels = {"ragfleet.dev/watch": "true"} if watched else {}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": KEY_SECRET, "labels": labels},
        "stringData": {"token": value},
    }


def _tag(chance: random.Random) -> str:
    return chance.choice(sorted(BROKEN)) if chance.random() < 0.12 else chance.choice(_GOOD)


def _scale(chance: random.Random) -> dict[str, Any]:
    if chance.random() < 0.3:
        least = chance.randint(1, 2)
        return {"replicas": None, "autoscaling": {"minReplicas": least, "maxReplicas": least + 2}}
    return {"replicas": chance.randint(1, 3)}
