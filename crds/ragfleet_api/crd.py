"""The CustomResourceDefinition of RAGPipeline, made from the models.

``python -m ragfleet_api.crd [PATH]`` writes it to PATH, or to standard output.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from ragfleet_api.resource import RAGPipeline
from ragfleet_api.schema import Schema, structural_schema
from ragfleet_api.version import GROUP, KIND, PLURAL, SHORT_NAME, SINGULAR, VERSION

_HEADER = "# Generated from crds/ragfleet_api by `make generate`; edit the models, not this file.\n"
_READY = '.status.conditions[?(@.type=="Ready")]'


# The pure-Python dumper, since libyaml's folds long lines elsewhere.
class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        # A model that several sections share is written out for each.
        return True


def custom_resource_definition() -> dict[str, Any]:
    """The definition as plain data, ready for YAML or for the API server."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": SINGULAR,
                "shortNames": [SHORT_NAME],
            },
            "versions": [
                {
                    "name": VERSION,
                    "served": True,
                    "storage": True,
                    "subresources": {
                        "status": {},
                        "scale": {
                            "specReplicasPath": ".spec.replicas",
                            "statusReplicasPath": ".status.replicas",
                            "labelSelectorPath": ".status.selector",
                        },
                    },
                    "additionalPrinterColumns": _printer_columns(),
                    "schema": {"openAPIV3Schema": _object_schema()},
                }
            ],
        },
    }


def to_yaml() -> str:
    """The definition as the text of ``crds/ragpipelines.yaml``; the same models give the same bytes."""
    body = yaml.dump(
        custom_resource_definition(), Dumper=_Dumper, sort_keys=False, width=100, allow_unicode=True
    )
    return _HEADER + body


def _object_schema() -> Schema:
    schema = structural_schema(RAGPipeline)
    properties = schema["properties"]
    # The API server specifies apiVersion, kind and metadata itself, and lets only the name be restricted.
    return {
        "type": "object",
        "description": schema["description"],
        "required": ["spec"],
        "properties": {
            "metadata": {
                "type": "object",
                "properties": {"name": properties["metadata"]["properties"]["name"]},
            },
            "spec": properties["spec"],
            "status": properties["status"],
        },
    }


def _printer_columns() -> list[dict[str, Any]]:
    return [
        {"name": "Ready", "type": "string", "jsonPath": f"{_READY}.status"},
        {"name": "Reason", "type": "string", "jsonPath": f"{_READY}.reason"},
        {
            "name": "Replicas",
            "type": "string",
            "jsonPath": ".status.runtime.replicas",
            "description": "Copies of the service that are ready, of those that should be.",
        },
        {
            "name": "Model",
            "type": "string",
            "jsonPath": ".status.model",
            "description": "Model that writes the answers, or Extractive.",
        },
        {"name": "Endpoint", "type": "string", "jsonPath": ".status.endpoint"},
        {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"},
        {"name": "Message", "type": "string", "jsonPath": f"{_READY}.message", "priority": 1},
    ]


def main(arguments: list[str]) -> int:
    """Write the definition to the file that is named, or to standard output."""
    if len(arguments) > 1:
        sys.stderr.write("usage: python -m ragfleet_api.crd [PATH]\n")
        return 2
    if arguments:
        Path(arguments[0]).write_text(to_yaml(), encoding="utf-8")
    else:
        sys.stdout.write(to_yaml())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
