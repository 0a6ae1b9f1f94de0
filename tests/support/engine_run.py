"""The engine on a real control plane, with plain watches of one namespace in the place of kopf's."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.compose import Engine, make_engine
from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, OPTIONAL, PIPELINE, SECRET, Kind
from ragfleet_operator.model import Key, Settings
from ragfleet_operator.names import PIPELINE_LABEL, WATCH_LABEL
from support.control_plane import Completed, ControlPlane

IMAGE = "registry.example/ragfleet:1"


@dataclass(slots=True)
class Written:
    """Counts writes by verb and kind."""

    counts: Counter[tuple[str, str]] = field(default_factory=Counter)

    def wrote(self, verb: str, kind: Kind) -> None:
        self.counts[verb, kind.kind] += 1

    def refused(self, verb: str, kind: Kind, reason: str) -> None:
        """A write that is refused counts too: it was sent."""
        self.wrote(verb, kind)

    @property
    def total(self) -> int:
        """All but Events."""
        return sum(count for (verb, _), count in self.counts.items() if verb != "event")


@dataclass(slots=True)
class Running:
    """An engine at work, and what it has written."""

    engine: Engine
    cluster: KubernetesCluster
    written: Written


@asynccontextmanager
async def running_engine(
    control_plane: ControlPlane,
    namespace: str,
    *,
    kubeconfig: Path | None = None,
    address: Callable[[Key], str] = lambda _: "http://127.0.0.1:9",
    may_write: Callable[[], bool] = lambda: True,
    watched: bool = True,
    image: str = IMAGE,
) -> AsyncIterator[Running]:
    """Run an engine on a namespace until the end of the block. watched: feed it with events."""
    cluster = await KubernetesCluster.connect(kubeconfig or control_plane.kubeconfig)
    written = Written()
    cluster.observer = written
    engine = make_engine(cluster, Settings(image=image), address=address, may_write=may_write)
    watches = []
    try:
        await engine.fill([namespace])
        if watched:
            present = frozenset(CHILDREN) - OPTIONAL | await cluster.kinds_present()
            places = [(kind, PIPELINE_LABEL) for kind in sorted(present)] + [(PIPELINE, "")]
            places += [(kind, f"{WATCH_LABEL}=true") for kind in (SECRET, CONFIG_MAP)]
            watches = [
                asyncio.create_task(_watch(control_plane, engine, kind, namespace, selector))
                for kind, selector in places
            ]
        work = asyncio.create_task(engine.run())
        yield Running(engine, cluster, written)
        engine.close()
        await work
    finally:
        for watch in watches:
            watch.cancel()
        await asyncio.gather(*watches, return_exceptions=True)
        await cluster.close()


async def _watch(
    control_plane: ControlPlane, engine: Engine, kind: Kind, namespace: str, selector: str
) -> None:
    query = {"watch": "true", **({"labelSelector": selector} if selector else {})}
    async with (
        httpx.AsyncClient(
            base_url=control_plane.url,
            verify=ssl.create_default_context(cafile=str(control_plane.certificate)),
            headers={"Authorization": f"Bearer {control_plane.token}"},
            timeout=None,
            trust_env=False,
        ) as client,
        client.stream("GET", kind.path(namespace), params=query) as answer,
    ):
        async for line in answer.aiter_lines():
            event = json.loads(line)
            engine.see(kind, event["type"], event["object"])


@dataclass(frozen=True, slots=True)
class Bench:
    """A namespace of a control plane, as these tests use it from coroutines."""

    control_plane: ControlPlane
    namespace: str

    async def kubectl(self, *arguments: str, stdin: str | None = None, check: bool = True) -> str:
        """Run kubectl in the namespace; what it printed."""
        done = await asyncio.to_thread(self._run, arguments, stdin, check)
        return done.stdout + done.stderr if not check else done.stdout

    async def apply(self, *manifests: dict[str, Any], manager: str = "kubectl") -> None:
        """Apply manifests as a user does."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(manifests)})
        await self.kubectl("apply", "--server-side", "--field-manager", manager, "-f", "-", stdin=text)

    async def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object; {} where there is none."""
        text = await self.kubectl("get", kind, name, "-o", "json", "--ignore-not-found")
        return json.loads(text) if text.strip() else {}

    async def items(self, kinds: str) -> list[dict[str, Any]]:
        """All objects of some kinds."""
        found: list[dict[str, Any]] = json.loads(await self.kubectl("get", kinds, "-o", "json"))["items"]
        return found

    async def condition(self, name: str, type_: str) -> dict[str, Any]:
        """A condition of a pipeline; {} where it has none of that type."""
        status = (await self.get("ragpipeline", name)).get("status") or {}
        return next((item for item in status.get("conditions") or () if item["type"] == type_), {})

    async def reason(self, name: str, reason: str, type_: str = "Ready", seconds: float = 20.0) -> str:
        """Wait until a condition has a reason; its message."""
        found: dict[str, Any] = {}
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = await self.condition(name, type_)
            if found.get("reason") == reason:
                return str(found["message"])
            await asyncio.sleep(0.1)
        raise AssertionError(f"waited {seconds:g} s for {type_} of {name} to say {reason}: it says {found}")

    async def versions(self) -> dict[str, str]:
        """The resourceVersion of each pipeline and child."""
        found = await self.items(
            "ragpipelines,serviceaccounts,secrets,configmaps,pvc,netpol,svc,controllerrevisions,deploy,hpa,pdb"
        )
        return {
            f"{item['kind']}/{item['metadata']['name']}": item["metadata"]["resourceVersion"]
            for item in found
        }

    def _run(self, arguments: Sequence[str], stdin: str | None, check: bool) -> Completed:
        return self.control_plane.kubectl(*arguments, stdin=stdin, namespace=self.namespace, check=check)


def pipeline(name: str = "handbook", **spec: Any) -> dict[str, Any]:
    """A pipeline on a Qdrant server, with more in its spec; a value of None takes a section away."""
    sections = {
        "vectorStore": {"type": "Qdrant", "qdrant": {"url": "http://qdrant:6333"}},
        "generation": {"type": "Extractive"},
        **spec,
    }
    return {
        "apiVersion": "ragfleet.dev/v1alpha1",
        "kind": "RAGPipeline",
        "metadata": {"name": name},
        "spec": {key: value for key, value in sections.items() if value is not None},
    }


async def eventually(check: Callable[[], Awaitable[bool]], what: str, seconds: float = 20.0) -> None:
    """Wait until a check holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if await check():
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"waited {seconds:g} s for {what}")
