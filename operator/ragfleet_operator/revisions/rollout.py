"""How far a Deployment's rollout is: its numbers, and what they are asked.

Three questions look alike and aren't: whether old pods are gone (``is_rolled_out``), whether a revision has
proved itself (``runs_whole``), and whether the specification is met (``status.workload.is_complete``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from ragfleet_api.spec.scaling import Autoscaling
from ragfleet_operator.model import Object
from ragfleet_operator.render.autoscaler import bounds


@dataclass(frozen=True, slots=True)
class Rollout:
    """The numbers of a Deployment's pods. desired: how many it is told to have, by us or by an autoscaler.

    is_observed: whether the numbers are about its newest version. is_going: whether it was deleted.
    """

    desired: int
    replicas: int
    updated: int
    ready: int
    available: int
    unavailable: int
    is_observed: bool
    is_going: bool

    @classmethod
    def of(cls, deployment: Object, **more: Any) -> Self:
        """The numbers of a Deployment. more: fields of a class that has more of them."""
        metadata, status = deployment["metadata"], deployment.get("status") or {}
        return cls(
            desired=(deployment.get("spec") or {}).get("replicas", 1),
            # The API server leaves out what is 0.
            replicas=status.get("replicas", 0),
            updated=status.get("updatedReplicas", 0),
            ready=status.get("readyReplicas", 0),
            available=status.get("availableReplicas", 0),
            unavailable=status.get("unavailableReplicas", 0),
            is_observed=status.get("observedGeneration", -1) == metadata.get("generation", 0),
            is_going="deletionTimestamp" in metadata,
            **more,
        )

    @property
    def is_exact(self) -> bool:
        """Whether all its pods are of its newest version and available, and as many as desired; 0 are too."""
        return self.replicas == self.updated == self.available == self.desired

    def is_enough(self, fewest: int) -> bool:
        """Whether all its pods are of its newest version, and at least the fewest are available.

        With an autoscaler the numbers move under load, and that isn't a change to wait for.
        """
        return self.updated == self.replicas and self.available >= fewest


def is_rolled_out(deployment: Object) -> bool:
    """Whether nothing is on its way: no pod is of an older template, and none is missing.

    To the number, with an autoscaler too: a pod that it adds is on its way. None at all are rolled out.
    """
    found = Rollout.of(deployment)
    return found.is_observed and found.is_exact


def runs_whole(deployment: Object, scaling: Autoscaling | None) -> bool:
    """Whether what it runs has proved itself, with all its pods or the fewest that an autoscaler keeps.

    No pods at all say nothing of a revision.
    """
    found = Rollout.of(deployment)
    if found.is_going or not found.is_observed:
        return False
    if scaling is not None:
        return found.is_enough(bounds(scaling)[0])
    return found.desired > 0 and found.is_exact
