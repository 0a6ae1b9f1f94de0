"""A pipeline, its Deployment and its ControllerRevisions, as passes of an operator change them."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ragfleet_operator import names
from ragfleet_operator.kinds import CONTROLLER_REVISION, DEPLOYMENT
from ragfleet_operator.model import (
    Observation,
    Pipeline,
    PodTrouble,
    Ref,
    Report,
    Revision,
    Settings,
)
from ragfleet_operator.render import render
from ragfleet_operator.revisions import Plan, as_json, needs_pods, plan, running, stored
from support.rendering import SETTINGS, UID, canaries, make_pipeline
from support.sections import QDRANT

NAME: Final = "handbook"
REACHABLE: Final = Report(store_reachable=True, collection="c")
AWAY: Final = Report(store_reachable=False, store_message="connection refused")
LATE: Final = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
SERVER: Final[Mapping[str, Any]] = {"vectorStore": QDRANT, "replicas": 2}
OTHER_IMAGE: Final = replace(SETTINGS, image="registry.example/ragfleet:2.0.0")

Json = dict[str, Any]


def with_top_k(number: int, **more: Any) -> Json:
    """A pipeline on a server, whose pods differ by that number."""
    return {**SERVER, "retrieval.topK": number, **more}


def status_of(
    deployment: Json, *, complete: bool = False, late: bool = False, updated: int = 1, old: int = 2
) -> Json:
    """What the Deployment's controller says of its newest version: all is well, too late, or under way.

    updated: pods of the newest version, old: of those before.
    """
    wanted = deployment["spec"].get("replicas", 2)
    generation = deployment["metadata"]["generation"]
    if complete:
        every = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        return {"observedGeneration": generation, **dict.fromkeys(every, wanted)}
    counts = {"replicas": updated + old, "updatedReplicas": updated, "availableReplicas": old}
    return {
        "observedGeneration": generation,
        "conditions": [LATE] if late else [],
        **{name: count for name, count in counts.items() if count},
    }


@dataclass
class World:
    """What is in the cluster. ``step`` makes a pass and carries its plan out."""

    changes: Json = field(default_factory=lambda: with_top_k(5))
    settings: Settings = SETTINGS
    generation: int = 1
    annotations: dict[str, str] = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    kept: dict[str, Json] = field(default_factory=dict)
    deployment: Json | None = None
    troubles: tuple[PodTrouble, ...] = ()
    ready: dict[str, int] | None = None
    report: Report | None = REACHABLE

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline as it is stored."""
        return replace(
            make_pipeline(self.changes),
            generation=self.generation,
            annotations=dict(self.annotations),
            status=copy.deepcopy(self.status),
        )

    @property
    def seen(self) -> Observation:
        """What an operator sees."""
        children: dict[Ref, Any] = {Ref(CONTROLLER_REVISION, name): obj for name, obj in self.kept.items()}
        if self.deployment is not None:
            children[Ref(DEPLOYMENT, NAME)] = self.deployment
        seen = Observation(children=children, report=self.report)
        if not needs_pods(self.pipeline, seen):
            return seen  # as the engine does: pods are listed only where the plan asks for them
        return replace(seen, troubles=self.troubles, ready_pods=self.ready)

    @property
    def running(self) -> str:
        """The id of the revision that the Deployment is told to run."""
        return running(self.pipeline, self.seen)

    @property
    def known(self) -> Mapping[str, Revision]:
        """The revisions that are kept."""
        return stored(self.seen, self.pipeline)

    def plan(self) -> Plan:
        """The plan for what is there."""
        return plan(self.pipeline, self.settings, self.seen)

    def step(self) -> Plan:
        """Make a pass: write the status, make and prune ControllerRevisions, apply the Deployment."""
        made = self.plan()
        self.status = {**self.status, "revisions": json.loads(json.dumps(as_json(made.state)))}
        if made.stays:
            return made
        children = render(
            made.pipeline, self.settings, self.seen, new_secret=canaries(), revision=made.revision
        )
        for child in children:
            manifest = json.loads(json.dumps(child.manifest))
            if child.kind == CONTROLLER_REVISION:
                self.kept.setdefault(child.name, manifest)
            elif child.kind == DEPLOYMENT:
                self._apply(manifest)
        kept = {ref.name for ref in made.keep}
        self.kept = {name: obj for name, obj in self.kept.items() if name in kept}
        return made

    def edit(self, changes: Json) -> None:
        """Change the spec, as kubectl apply does."""
        if changes != self.changes:
            self.changes, self.generation = changes, self.generation + 1

    def pin(self, revision: str, *, generation: int | None = None, always: bool = False) -> None:
        """Pin a revision, by default as ``ragfleet rollback`` does."""
        at = self.generation if generation is None else generation
        self.annotations[names.PIN_ANNOTATION] = revision if always else f"{revision}@{at}"

    def unpin(self) -> None:
        """Take the pin away."""
        self.annotations.pop(names.PIN_ANNOTATION, None)

    def becomes_ready(self) -> str:
        """All pods are of what the Deployment is told, and available; which that is."""
        assert self.deployment is not None
        self.deployment["status"] = status_of(self.deployment, complete=True)
        self.troubles, self.ready = (), None
        return self.running

    def fails(self, word: str = "CrashLoopBackOff", *, old: int = 2) -> None:
        """The rollout is late, for pods of what the Deployment is told with a trouble; "" for none named."""
        assert self.deployment is not None
        revision = self.running
        self.deployment["status"] = status_of(self.deployment, late=True, old=old)
        good = self.status.get("revisions", {}).get("lastGood", "")
        self.ready = {good: old} if old else {}
        trouble = PodTrouble(f"{NAME}-{revision}-x", word, "exit code 1, Error", 5, revision)
        self.troubles = (trouble,) if word else ()

    def settle(self, bad: frozenset[str] = frozenset()) -> None:
        """Make passes until nothing changes; revisions in ``bad`` fail, others become ready."""
        for _ in range(12):
            before = json.dumps([self.status, self.deployment, sorted(self.kept)], sort_keys=True)
            self.step()
            if self.deployment is not None and self.deployment["spec"].get("replicas", 2):
                if self.running in bad:
                    self.fails(old=2 if self._has_old() else 0)
                else:
                    self.becomes_ready()
            if json.dumps([self.status, self.deployment, sorted(self.kept)], sort_keys=True) == before:
                return
        raise AssertionError("passes don't come to an end")

    def _has_old(self) -> bool:
        good = self.status.get("revisions", {}).get("lastGood", "")
        return good not in ("", self.running)

    def _apply(self, manifest: Json) -> None:
        if self.deployment is None:
            self.deployment = {**manifest, "metadata": {**manifest["metadata"], "generation": 1}}
            self.deployment["status"] = {}
            return
        if manifest["spec"] == self.deployment["spec"]:
            return
        generation = self.deployment["metadata"]["generation"] + 1
        status = self.deployment.get("status", {})
        self.deployment = {**manifest, "metadata": {**manifest["metadata"], "generation": generation}}
        self.deployment["status"] = status


def legacy_deployment() -> Json:
    """A Deployment by an operator that knew no revisions, with all its pods ready."""
    owner = {"uid": UID, "name": NAME}
    deployment: Json = {
        "metadata": {"name": NAME, "generation": 3, "ownerReferences": [owner]},
        "spec": {"replicas": 2, "template": {"metadata": {"labels": names.labels(NAME)}}},
    }
    return {**deployment, "status": status_of(deployment, complete=True)}
