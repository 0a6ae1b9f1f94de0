"""Holds back a change that the index doesn't fit: new pods would come up on an empty one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from ragfleet_operator.engine.poll import Poller
from ragfleet_operator.engine.rollout import template_annotations
from ragfleet_operator.engine.wanted import Wanted
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Object, Observation, Pipeline, Ref, own
from ragfleet_operator.names import FINGERPRINT_ANNOTATION

_FIRST_LOOK_SECONDS: Final = 10.0


async def held_fingerprint(
    pipeline: Pipeline, seen: Observation, desired: Sequence[Wanted], poller: Poller
) -> str | None:
    """The fingerprint of what is desired, where its change is held back, else None.

    It is applied where nothing is indexed yet: the service says so when asked now, or it never ran.
    """
    deployment = own(seen.children, Ref(DEPLOYMENT, pipeline.key.name), pipeline.uid)
    if deployment is None:
        return None
    rendered = next((child.manifest for child in desired if child.kind == DEPLOYMENT), {})
    fingerprint = template_annotations(rendered).get(FINGERPRINT_ANNOTATION)
    if template_annotations(deployment).get(FINGERPRINT_ANNOTATION, fingerprint) == fingerprint:
        return None
    if "index" not in pipeline.status and never_ran(deployment):
        return None
    report = await poller.ask(pipeline.key)
    return None if report.error is None and report.documents == 0 else fingerprint


def never_ran(deployment: Object) -> bool:
    """Whether no pod was ever available: its condition has been False since the Deployment was made."""
    conditions = {item["type"]: item for item in (deployment.get("status") or {}).get("conditions") or ()}
    available = conditions.get("Available")
    if available is None:
        return not (deployment.get("status") or {}).get("availableReplicas")
    if available["status"] == "True":
        return False
    made = datetime.fromisoformat(deployment["metadata"]["creationTimestamp"])
    since = datetime.fromisoformat(available["lastTransitionTime"])
    return (since - made).total_seconds() < _FIRST_LOOK_SECONDS
