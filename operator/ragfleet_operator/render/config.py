"""The configuration of a pipeline's service."""

from __future__ import annotations

from ragfleet_api.config.fingerprints import query_fingerprint
from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_operator.model import Pipeline, Settings


def config_of(pipeline: Pipeline, settings: Settings) -> RuntimeConfig:
    """The configuration of the pipeline's service."""
    owner = Owner(
        cluster=settings.cluster,
        namespace=pipeline.key.namespace,
        name=pipeline.key.name,
        uid=pipeline.uid,
    )
    return project(pipeline.spec, owner)


def query_fingerprint_of(pipeline: Pipeline, settings: Settings) -> str:
    """Identity of what the pipeline's stored vectors depend on (8 hex digits)."""
    config = config_of(pipeline, settings)
    return query_fingerprint(config.retrieval.sparse, config.embedding)
