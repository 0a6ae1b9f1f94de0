"""Configurations for tests."""

from __future__ import annotations

from typing import Any

from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_api.spec import RAGPipelineSpec

MINIMAL: dict[str, Any] = {
    "vectorStore": {"type": "Embedded"},
    "generation": {"type": "Extractive"},
    "auth": {"required": False},
}


def make_config(name: str = "handbook", **sections: Any) -> RuntimeConfig:
    """The configuration of a pipeline with the given sections of its spec, and defaults for the rest."""
    spec = RAGPipelineSpec.model_validate({**MINIMAL, **sections})
    return project(spec, Owner(cluster="local", namespace="team-a", name=name))
