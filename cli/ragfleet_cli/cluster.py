"""The cluster that a command talks to, as kubectl would: which one, which namespace, and who we are to it."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Final, Protocol

from kubernetes.aio import config
from kubernetes.aio.config.incluster_config import SERVICE_TOKEN_FILENAME

from ragfleet_api.manifest import DEFAULT_NAMESPACE
from ragfleet_cli.errors import CliError
from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.cluster import Listing
from ragfleet_operator.engine.connect import USUAL_FILE, in_pod, load
from ragfleet_operator.engine.errors import ApiError, Forbidden, Unauthorized, Unavailable
from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Object

MANAGER: Final = "ragfleet-cli"
_MERGE: Final = "application/merge-patch+json"


class Cluster(Protocol):
    """What commands ask of a cluster. Every call raises ragfleet_operator.engine.errors.ApiError."""

    async def get(self, kind: Kind, namespace: str, name: str) -> Object:
        """Read an object."""

    async def list(self, kind: Kind, namespace: str | None, selector: str = "") -> Listing:
        """The objects of a kind, of one namespace or of all."""

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """Merge a patch (RFC 7396) into an object; Conflict where it isn't of the version that is named."""


class PatchingCluster(KubernetesCluster):
    """The operator's client, with one more way to write."""

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        """See Cluster."""
        query = {"fieldManager": MANAGER}
        return await self._write("patch", kind, "PATCH", kind.path(namespace, name), query, patch, _MERGE)


@asynccontextmanager
async def connected(kubeconfig: Path | None, context: str | None) -> AsyncIterator[Cluster]:
    """A cluster until the end of the block. Raises CliError, for what it refuses in the block too."""
    with plain_errors():
        cluster = PatchingCluster(await load(kubeconfig, context))
        try:
            yield cluster
        finally:
            await cluster.close()


@contextmanager
def plain_errors() -> Iterator[None]:
    """Turn what an API server refuses, or that there is none, into CliError."""
    try:
        yield
    except Forbidden as error:
        raise CliError(f"not allowed: {error}") from error
    except Unauthorized as error:
        raise CliError("the cluster doesn't accept your credentials: log in to it again") from error
    except Unavailable as error:
        raise CliError(f"no answer from the cluster: {error}") from error
    except ApiError as error:
        raise CliError(str(error)) from error


def current_namespace(kubeconfig: Path | None, context: str | None) -> str:
    """The namespace that kubectl would take: the pod's own, or that of the kubeconfig's context."""
    mounted = Path(SERVICE_TOKEN_FILENAME).with_name("namespace")
    if kubeconfig is None and context is None and in_pod() and mounted.exists():
        return mounted.read_text().strip()
    path = str(kubeconfig) if kubeconfig else os.environ.get("KUBECONFIG") or USUAL_FILE
    try:
        contexts, active = config.list_kube_config_contexts(path)  # type: ignore[no-untyped-call]
    except (config.ConfigException, OSError, ValueError, KeyError):
        return DEFAULT_NAMESPACE  # connecting tells what is wrong with the file
    chosen = next((item for item in contexts if item["name"] == context), {}) if context else active
    return str((chosen.get("context") or {}).get("namespace") or DEFAULT_NAMESPACE)
