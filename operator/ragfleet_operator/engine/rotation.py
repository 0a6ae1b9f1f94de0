"""When pods are rolled for what they read only once: a function of the Deployment and the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final, NamedTuple

from ragfleet_operator.engine.rollout import template_annotations
from ragfleet_operator.model import Object
from ragfleet_operator.names import REVISION_LABEL, ROTATED_ANNOTATION, SECRETS_ANNOTATION

# Somebody who changes one Secret often changes the next one a minute later.
PAUSE_SECONDS: Final = 300.0


class Rotation(NamedTuple):
    """What a Deployment is to say of its pods' secrets; "" where it says nothing.

    digest: of what they read once. rotated_at: when they were last rolled for it, as in RFC 3339.
    wait_seconds: after how many seconds a change that waits can be taken, None where none waits.
    """

    digest: str
    rotated_at: str
    wait_seconds: float | None = None


def rotation(live: Object | None, digest: str | None, now: datetime, *, revision: str) -> Rotation:
    """What to render now.

    live: the Deployment, None where there is none. digest: of what is there now, "" where pods read nothing
    once, None where it can't be told. revision: the id of the revision that is rendered; where it is another
    one than live's, pods roll anyway, and that doesn't count.
    """
    if live is None:
        return Rotation(digest or "", "")
    carried = template_annotations(live).get(SECRETS_ANNOTATION, "")
    stamp = (live["metadata"].get("annotations") or {}).get(ROTATED_ANNOTATION, "")
    if digest is None or digest == carried:
        return Rotation(carried, stamp)
    if _revision(live) != revision:
        return Rotation(digest, stamp)
    if not digest:
        return Rotation(carried, stamp)  # to take the annotation away would roll pods for nothing
    wait = _wait(stamp, now)
    if wait > 0:
        return Rotation(carried, stamp, wait)
    return Rotation(digest, now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))


def _revision(deployment: Object) -> str:
    metadata = deployment.get("spec", {}).get("template", {}).get("metadata") or {}
    revision: str = (metadata.get("labels") or {}).get(REVISION_LABEL, "")
    return revision


def _wait(stamp: str, now: datetime) -> float:
    """Seconds until pods may be rolled again; not above 0 where they may be now."""
    try:
        since = (now - datetime.fromisoformat(stamp)).total_seconds()
    except (ValueError, TypeError):  # none, or what somebody else wrote, perhaps without a zone
        return 0.0
    if abs(since) >= PAUSE_SECONDS:
        return 0.0  # also where it is to come: a clock was set back
    return min(PAUSE_SECONDS - since, PAUSE_SECONDS)
