"""A control plane of its own for each fleet, with what the operator needs and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.fleet.api import API, open_api
from bench.fleet.operators import LEASE, Operator, Operators
from bench.fleet.pipelines import at_once
from bench.fleet.seen import Place, Seen
from ragfleet_operator.kinds import CHILDREN, OPTIONAL, PIPELINE, Kind
from support.control_plane import ControlPlane, control_plane
from support.control_plane_audit import AUDITED_NAMESPACE, writes
from support.control_plane_files import kubeconfig, write_private
from support.control_plane_flags import NODE

_ROOT = Path(__file__).parents[2]
_KINDS = (PIPELINE, *(kind for kind in CHILDREN if kind not in OPTIONAL))
_LEASES = Kind("coordination.k8s.io", "v1", "Lease", "leases")
_LEASE_PATIENCE_SECONDS = 120.0
# A control plane that has just started is busy with itself, which would count for whoever comes first.
_SETTLE_SECONDS = 5.0
_COUNTED = frozenset(kind.plural for kind in _KINDS)
_WATCH = f"{PIPELINE.path(None)}?watch=1&resourceVersion=0&timeoutSeconds=1"
# Of the operator's account. The longest measurement takes an hour or two.
_TOKEN_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Site:
    """A control plane, what is seen of it, and the operators that run there."""

    cluster: ControlPlane
    api: API
    seen: Seen
    operators: Operators

    def mark(self) -> int:
        """The place in the audit log where the next writes begin."""
        return self.cluster.audit_log.stat().st_size

    def writes_since(self, mark: int) -> list[str]:
        """The operator's writes to pipelines and their children, as text. Events and Leases don't count."""
        found = writes(self.cluster.audit_log, mark)
        return [
            f"{write.verb} {write.resource} {write.namespace}/{write.name} {write.code}"
            for write in found
            if write.resource.partition("/")[0] in _COUNTED
        ]

    async def holder(self) -> str:
        """Who holds the operators' Lease, "" where nobody does."""
        namespace, name = LEASE
        found = await self.api.call("GET", f"{_LEASES.path(namespace)}?fieldSelector=metadata.name={name}")
        return "".join(str(lease["spec"].get("holderIdentity") or "") for lease in found["items"])

    async def start_leader(self) -> Operator:
        """Start the first operator with a Lease, and wait until it holds it.

        It waits for as long as a Lease lasts: where there is none, its holder may have lost it a moment ago.
        """
        operator = await self.operators.start(with_lease=True)
        await self.wait_holder(bool)
        return operator

    async def wait_holder(self, is_so: Callable[[str], bool]) -> None:
        """Wait until something is so of who holds the Lease. Raises TimeoutError."""
        async with asyncio.timeout(_LEASE_PATIENCE_SECONDS):
            while not is_so(await self.holder()):  # noqa: ASYNC110 - another process is asked
                await asyncio.sleep(0.1)

    async def make_namespaces(self, pipelines: Iterable[Place]) -> None:
        """The namespaces of pipelines, with their default ServiceAccounts: without these no pod is made."""
        names = sorted({place.namespace for place in pipelines})
        await at_once(
            names, lambda name: self.api.call("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
        )
        for name in names:
            self.cluster.kubectl(
                "wait", "--for=create", "serviceaccount/default", "--timeout=30s", namespace=name
            )

    async def make_room(self, pods: int) -> None:
        """Let the node take that many pods."""
        room = {"cpu": str(pods), "memory": f"{pods}Gi", "ephemeral-storage": "4Ti", "pods": str(pods)}
        body = {"status": {"capacity": room, "allocatable": room}}
        path = f"/api/v1/nodes/{NODE}/status"
        await self.api.call("PATCH", path, body, "application/merge-patch+json")


@contextmanager
def _prepared() -> Iterator[tuple[ControlPlane, Path]]:
    """A control plane that knows pipelines, and a kubeconfig of the operator's account."""
    with control_plane() as cluster:
        for file in ("crds/ragpipelines.yaml", "deploy/cluster.yaml"):
            cluster.kubectl("apply", "--server-side", "-f", str(_ROOT / file))
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{PIPELINE.plural}.{PIPELINE.group}")
        # Established comes a moment before it is so.
        cluster.wait_for(lambda client: client.get(_WATCH).is_success, "pipelines to be served")
        token = cluster.token_for("ragfleet-operator", AUDITED_NAMESPACE, seconds=_TOKEN_SECONDS)
        text = kubeconfig(cluster.url, cluster.certificate, token, AUDITED_NAMESPACE)
        yield cluster, write_private(cluster.kubeconfig.with_name("operator.kubeconfig"), text)


@asynccontextmanager
async def site(pipelines: Sequence[Place] = ()) -> AsyncIterator[Site]:
    """A new control plane with the namespaces of these pipelines."""
    with _prepared() as (cluster, account), Operators(account) as operators:
        async with open_api(cluster) as api:
            seen = Seen(api, _KINDS)
            made = Site(cluster, api, seen, operators)
            await made.make_namespaces(pipelines)
            async with seen.watching():
                await asyncio.sleep(_SETTLE_SECONDS)
                yield made
