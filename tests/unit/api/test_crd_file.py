"""The checked-in definition is what the models say, and says what kubectl needs."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from ragfleet_api.crd import custom_resource_definition, main, to_yaml

CHECKED_IN = Path(__file__).parents[3] / "crds" / "ragpipelines.yaml"


def test_the_checked_in_file_is_current() -> None:
    current = CHECKED_IN.read_text(encoding="utf-8") == to_yaml()
    assert current, "crds/ragpipelines.yaml is not what the models say; run `make generate` and commit it"


def test_the_text_is_the_definition() -> None:
    text = to_yaml()
    assert yaml.safe_load(text) == custom_resource_definition()
    assert text.startswith("# Generated from crds/ragfleet_api by `make generate`")
    assert "&id" not in text


def test_names() -> None:
    definition = custom_resource_definition()
    assert definition["apiVersion"] == "apiextensions.k8s.io/v1"
    assert definition["metadata"] == {"name": "ragpipelines.ragfleet.dev"}
    spec = definition["spec"]
    assert spec["group"] == "ragfleet.dev"
    assert spec["scope"] == "Namespaced"
    assert spec["names"] == {
        "kind": "RAGPipeline",
        "listKind": "RAGPipelineList",
        "plural": "ragpipelines",
        "singular": "ragpipeline",
        "shortNames": ["ragp"],
    }
    assert [(version["name"], version["served"], version["storage"]) for version in spec["versions"]] == [
        ("v1alpha1", True, True)
    ]


def test_subresources() -> None:
    assert custom_resource_definition()["spec"]["versions"][0]["subresources"] == {
        "status": {},
        "scale": {
            "specReplicasPath": ".spec.replicas",
            "statusReplicasPath": ".status.replicas",
            "labelSelectorPath": ".status.selector",
        },
    }


def test_columns() -> None:
    columns = custom_resource_definition()["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [(item["name"], item["type"], item["jsonPath"], item.get("priority", 0)) for item in columns] == [
        ("Ready", "string", '.status.conditions[?(@.type=="Ready")].status', 0),
        ("Reason", "string", '.status.conditions[?(@.type=="Ready")].reason', 0),
        ("Replicas", "string", ".status.runtime.replicas", 0),
        ("Model", "string", ".status.model", 0),
        ("Endpoint", "string", ".status.endpoint", 0),
        ("Age", "date", ".metadata.creationTimestamp", 0),
        ("Message", "string", '.status.conditions[?(@.type=="Ready")].message', 1),
    ]


def test_each_column_shows_a_field_of_the_status_of_its_type() -> None:
    version = custom_resource_definition()["spec"]["versions"][0]
    for column in version["additionalPrinterColumns"]:
        steps = column["jsonPath"].removeprefix(".").split(".")
        if steps[0] != "status" or "[" in column["jsonPath"]:
            continue
        node = version["schema"]["openAPIV3Schema"]
        for step in steps:
            node = node["properties"][step]
        assert node["type"] == column["type"], column["name"]


def test_the_definition_fits_the_annotation_of_a_client_side_apply() -> None:
    # What kubectl keeps of the last applied object is an annotation, and those have 256 KiB together.
    assert len(json.dumps(custom_resource_definition())) < 200_000


def test_the_command_writes_the_file_or_prints_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path / "out.yaml")]) == 0
    assert (tmp_path / "out.yaml").read_text(encoding="utf-8") == to_yaml()
    assert main([]) == 0
    assert capsys.readouterr().out == to_yaml()
    assert main(["a", "b"]) == 2
    assert "usage" in capsys.readouterr().err
