"""The service's configuration."""

from __future__ import annotations

import hashlib
from typing import Final

from ragfleet_operator import names
from ragfleet_operator.kinds import CONFIG_MAP
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.parts import child

CONFIG_FILE: Final = "config.json"
_DIGITS: Final = 10


def digest_of(config_json: str) -> str:
    """Identity of a configuration: the first ten hex digits of its SHA-256."""
    return hashlib.sha256(config_json.encode()).hexdigest()[:_DIGITS]


def config_map(pipeline: Pipeline, config_json: str) -> Child:
    """The ConfigMap of a configuration. Another configuration has another: pods never see theirs change."""
    body = {"immutable": True, "data": {CONFIG_FILE: config_json}}
    name = names.config_map(pipeline.key.name, digest_of(config_json))
    return child(CONFIG_MAP, pipeline, body, name=name)
