"""From a manifest file to what the service is started with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_api.manifest import DEFAULT_NAMESPACE, load_manifest, load_with_secrets
from ragfleet_api.problems import ManifestError
from ragfleet_api.resource import RAGPipeline
from ragfleet_api.secret_documents import SecretValues
from ragfleet_cli.errors import CliError

LOCAL_CLUSTER = "local"


def load_pipeline(file: Path, overrides: Sequence[str]) -> RAGPipeline:
    """The pipeline in the file, or in standard input for "-". Raises ManifestError."""
    return load_manifest("-" if str(file) == "-" else file, overrides)


def load_config(file: Path, overrides: Sequence[str]) -> tuple[RuntimeConfig, SecretValues]:
    """What the service is started with, and the Secrets beside it in the file.

    Raises CliError with a line for each problem of the manifest.
    """
    try:
        pipeline, secrets = load_with_secrets("-" if str(file) == "-" else file, overrides)
    except ManifestError as error:
        raise CliError(str(error)) from error
    if pipeline.spec.replicas == 0:
        raise CliError("spec.replicas is 0, so there is nothing to run: set it to 1 or leave it out")
    owner = Owner(
        cluster=LOCAL_CLUSTER,
        namespace=pipeline.metadata.namespace or DEFAULT_NAMESPACE,
        name=pipeline.metadata.name,
    )
    return project(pipeline.spec, owner), secrets


def default_data_dir(config: RuntimeConfig) -> Path:
    """Where a pipeline keeps its data unless told otherwise: below the current folder."""
    return Path(".ragfleet") / f"{config.owner.namespace}-{config.owner.name}"
