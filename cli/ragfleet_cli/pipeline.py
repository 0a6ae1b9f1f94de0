"""From a manifest file to what the service is started with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragfleet_api.config import Owner, RuntimeConfig, project
from ragfleet_api.manifest import load_manifest
from ragfleet_api.problems import ManifestError
from ragfleet_api.resource import RAGPipeline
from ragfleet_cli.errors import CliError

LOCAL_CLUSTER = "local"
DEFAULT_NAMESPACE = "default"


def load_pipeline(file: Path, overrides: Sequence[str]) -> RAGPipeline:
    """The pipeline in the file, or in standard input for "-". Raises ManifestError."""
    return load_manifest("-" if str(file) == "-" else file, overrides)


def load_config(file: Path, overrides: Sequence[str]) -> RuntimeConfig:
    """What the service is started with. Raises CliError with a line for each problem of the manifest."""
    try:
        pipeline = load_pipeline(file, overrides)
    except ManifestError as error:
        raise CliError(str(error)) from error
    if pipeline.spec.replicas == 0:
        raise CliError("spec.replicas is 0, so there is nothing to run: set it to 1 or leave it out")
    owner = Owner(
        cluster=LOCAL_CLUSTER,
        namespace=pipeline.metadata.namespace or DEFAULT_NAMESPACE,
        name=pipeline.metadata.name,
    )
    return project(pipeline.spec, owner)


def default_data_dir(config: RuntimeConfig) -> Path:
    """Where a pipeline keeps its data unless told otherwise: below the current folder."""
    return Path(".ragfleet") / f"{config.owner.namespace}-{config.owner.name}"
