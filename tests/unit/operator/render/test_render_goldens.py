"""Every example renders to what is written in goldens/, so that a change of any child shows in a review.

After a change that is meant: RAGFLEET_WRITE_GOLDENS=1 .venv/bin/pytest tests/unit/operator/render
"""

from __future__ import annotations

import difflib
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragfleet_operator.kinds import CHILDREN, CONTROLLER_REVISION
from ragfleet_operator.model import Child
from ragfleet_operator.render import render
from support.rendering import EVERY_KIND, EXAMPLE_NAMES, SETTINGS, example, make_pipeline

GOLDENS = Path(__file__).parents[1] / "goldens"
EVERYTHING = "everything"
# What no example has: each part of a pod, and most kinds of children.
_EVERYTHING = {
    "vectorStore": {
        "type": "Qdrant",
        "qdrant": {
            "url": "https://qdrant.data:6333",
            "apiKeySecretRef": {"name": "qdrant", "key": "api-key"},
            "caSecretRef": {"name": "qdrant", "key": "ca.crt"},
        },
    },
    "generation": {
        "type": "OpenAI",
        "openAI": {"model": "model-c", "apiKeySecretRef": {"name": "models", "key": "token"}},
    },
    "auth": {"required": True},
    "runtime": {
        "image": "registry.example/own@sha256:0123",
        "imagePullPolicy": "Always",
        "imagePullSecrets": [{"name": "registry"}],
        "resources": {"requests": {"cpu": "0.5", "memory": "2Gi"}},
        "models": {"type": "PersistentVolumeClaim", "persistentVolumeClaim": {"claimName": "models"}},
        "serviceAccount": {"annotations": {"iam.example/role": "reader"}},
        "labels": {"team": "docs"},
        "annotations": {"example.com/note": "kept"},
        "nodeSelector": {"pool": "cpu"},
        "tolerations": [{"key": "pool", "value": "cpu", "effect": "NoSchedule"}],
        "priorityClassName": "serving",
        "env": [
            {"name": "HTTPS_PROXY", "value": "http://proxy:3128"},
            {"name": "HF_TOKEN", "secretKeyRef": {"name": "hub", "key": "token"}},
        ],
        "caBundle": {"configMapName": "authorities", "key": "bundle.pem"},
    },
    "autoscaling": {
        "maxReplicas": 6,
        "targetMemoryUtilizationPercentage": 80,
        "metrics": [{"name": "requests_in_flight", "averageValue": "4"}],
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 600}},
    },
    "exposure": {
        "type": "Ingress",
        "ingress": {"className": "nginx", "host": "handbook.example", "tlsSecretName": "handbook-tls"},
    },
    "networkPolicy": {
        "clients": [
            {"namespaceLabels": {"kubernetes.io/metadata.name": "ingress"}},
            {"podLabels": {"app": "a"}},
        ],
        "scrapers": [{"namespaceLabels": {}, "podLabels": {"app": "prometheus"}}],
        "egress": [{"cidr": "10.0.0.0/8", "ports": [443, 6333]}, {"peer": {"podLabels": {"app": "qdrant"}}}],
    },
    "monitoring": {"serviceMonitor": {"labels": {"release": "prometheus"}}},
}


def text_of(name: str) -> str:
    pipeline = make_pipeline(_EVERYTHING) if name == EVERYTHING else example(name)
    children = render(pipeline, SETTINGS, EVERY_KIND, new_secret=lambda: "(generated)")
    return yaml.safe_dump_all([shown(child) for child in children], sort_keys=False, width=100)


def shown(child: Child) -> dict[str, Any]:
    """A manifest; of a ControllerRevision without what the ConfigMap and the Deployment show already."""
    if child.kind != CONTROLLER_REVISION:
        return dict(child.manifest)
    data = {
        name: "(as below)" if name == "template" else value for name, value in child.manifest["data"].items()
    }
    return {**child.manifest, "data": {**data, "config": "(as above)"}}


@pytest.mark.parametrize("name", [*EXAMPLE_NAMES, EVERYTHING])
def test_an_example_renders_to_its_golden_file(name: str) -> None:
    golden, text = GOLDENS / f"{name}.yaml", text_of(name)
    if os.environ.get("RAGFLEET_WRITE_GOLDENS"):
        golden.write_text(text, encoding="utf-8")
    before = golden.read_text(encoding="utf-8") if golden.exists() else ""
    diff = difflib.unified_diff(
        before.splitlines(), text.splitlines(), str(golden.name), "rendered", "", "", 2
    )
    difference = "\n".join(diff)
    assert not difference, difference


def test_there_is_no_golden_file_of_what_is_gone() -> None:
    assert sorted(path.stem for path in GOLDENS.glob("*.yaml")) == sorted([*EXAMPLE_NAMES, EVERYTHING])


def test_the_golden_files_have_every_kind() -> None:
    documents = [
        document for path in GOLDENS.glob("*.yaml") for document in yaml.safe_load_all(path.read_text())
    ]
    assert {document["kind"] for document in documents} == {kind.kind for kind in CHILDREN}
