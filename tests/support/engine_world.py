"""An engine on a cluster in memory, whose passes are made by hand."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_operator.engine.compose import Engine, make_engine
from ragfleet_operator.kinds import DEPLOYMENT, PIPELINE, POD
from ragfleet_operator.model import Key, Settings
from ragfleet_operator.names import REVISION_LABEL, selector
from ragfleet_operator.status.conditions import conditions_of
from support.engine_run import pipeline
from support.fake_cluster import FakeCluster

KEY: Final = Key("default", "handbook")


class World:
    """An engine on a fake cluster; every pass is made by hand."""

    def __init__(self) -> None:
        self.cluster = FakeCluster()
        self.leads = True
        self.engines: list[Engine] = []
        self.engine = self.restarted()

    def restarted(self) -> Engine:
        """Another operator, that remembers nothing."""
        settings = Settings(image="registry.example/ragfleet:1")
        self.engine = make_engine(
            self.cluster, settings, may_write=lambda: self.leads, address=lambda _: "http://127.0.0.1:9"
        )
        self.engines.append(self.engine)
        return self.engine

    async def end(self) -> None:
        """Close what the engines have opened."""
        for engine in self.engines:
            engine.poller.close()
            await engine.poller.run()

    def edit(self, **spec: Any) -> dict[str, Any]:
        """A user writes the pipeline."""
        manifest = pipeline(**spec)
        manifest["metadata"]["namespace"] = "default"
        return self.cluster.put(PIPELINE, manifest)

    async def look(self) -> float | None:
        """Show the engine all that there is, and make a pass."""
        await self.engine.fill(None)
        return await self.engine.reconciler.reconcile(KEY)

    def is_overdue(self, revision: str) -> None:
        """A pod of a revision fails beside one of another, and the Deployment's deadline passes."""
        for name, label, is_ready in (("old", "other", "True"), ("new", revision, "False")):
            state = {} if is_ready == "True" else {"waiting": {"reason": "CrashLoopBackOff"}}
            labels = {**selector(KEY.name), REVISION_LABEL: label}
            self.cluster.put(
                POD,
                {"metadata": {"namespace": "default", "name": name, "labels": labels}},
                conditions=[{"type": "Ready", "status": is_ready}],
                containerStatuses=[{"state": state, "restartCount": 5}],
            )
        deployment = self.cluster.objects[DEPLOYMENT, *KEY]
        late = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
        observed = deployment["metadata"]["generation"]
        counts = {"replicas": 2, "updatedReplicas": 1, "availableReplicas": 1}
        self.cluster.put(DEPLOYMENT, deployment, observedGeneration=observed, conditions=[late], **counts)

    def roll_out(self) -> None:
        """The Deployment's pods become available."""
        deployment = self.cluster.objects[DEPLOYMENT, *KEY]
        counts = dict.fromkeys(("replicas", "updatedReplicas", "readyReplicas", "availableReplicas"), 1)
        observed = deployment["metadata"]["generation"]
        self.cluster.put(DEPLOYMENT, deployment, observedGeneration=observed, **counts)

    def condition(self, type_: str) -> tuple[str, str]:
        """The status and reason of a condition of the stored pipeline."""
        found = conditions_of(self.cluster.objects[PIPELINE, *KEY]["status"])[type_]
        return found["status"], found["reason"]

    def names(self, kind: Any) -> list[str]:
        """What there is of a kind."""
        return sorted(name for found, _, name in self.cluster.objects if found == kind)
