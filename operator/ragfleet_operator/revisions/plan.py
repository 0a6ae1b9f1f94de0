"""Which revision a pipeline is to run, and what is remembered of it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ragfleet_api.spec.upgrade import DEFAULT_HISTORY_LIMIT, Upgrade
from ragfleet_operator.kinds import CONTROLLER_REVISION
from ragfleet_operator.model import Observation, Pipeline, Ref, Rejected, Revision, Revisions, Settings
from ragfleet_operator.names import controller_revision
from ragfleet_operator.revisions.asked import Asked, asked_for
from ragfleet_operator.revisions.fault import own_fault
from ragfleet_operator.revisions.live import deployment_of, is_overdue, running
from ragfleet_operator.revisions.mixed import mixed
from ragfleet_operator.revisions.rollout import runs_whole
from ragfleet_operator.revisions.state import state_of
from ragfleet_operator.revisions.stored import Stored, stored


@dataclass(frozen=True, slots=True)
class Plan:
    """What a pass is to bring about.

    pipeline: with the specification that children are rendered from. revision: what the Deployment is to
    run. state: for ``status.revisions``. keep: ControllerRevisions that aren't deleted. stays: whether
    Deployment and configuration are left as they are, since nothing is kept of what runs. refusal: one line,
    why what is asked for can't be rendered and nothing moves, else "".
    """

    pipeline: Pipeline
    revision: Revision
    state: Revisions
    keep: frozenset[Ref]
    stays: bool = False
    refusal: str = ""


def needs_pods(pipeline: Pipeline, seen: Observation) -> bool:
    """Whether ``plan`` asks what is wrong with pods: a rollout is late, and there is one to go back to."""
    deployment = deployment_of(pipeline, seen)
    if deployment is None or not is_overdue(deployment) or not _goes_back(pipeline):
        return False
    good = state_of(pipeline.status).last_good
    return good not in ("", running(pipeline, seen))


def plan(pipeline: Pipeline, settings: Settings, seen: Observation) -> Plan:
    """The plan for a pipeline as it is seen. The same input gives the same plan."""
    known, runs = stored(seen, pipeline), running(pipeline, seen)
    before = _learned(pipeline, seen, known, runs)
    asked = asked_for(pipeline, settings, seen, known, before)
    good = known.get(before.last_good)
    rejected = _verdict(pipeline, seen, asked, before, good)
    revision, stays = asked.revision, asked.stays
    if rejected is not None and _holds(rejected, asked):
        if good is not None and good.id != revision.id:
            revision = good
        elif asked.current is not None and asked.current.id != revision.id:
            revision = asked.current
        elif deployment_of(pipeline, seen) is not None and runs != revision.id:
            stays = True
        else:
            rejected = None  # there is nothing to go back to
    state = replace(
        before,
        current=(runs or before.current) if stays else revision.id,
        rejected=rejected,
        pinned=asked.revision.id if asked.pin else "",
        unknown_pin=asked.unknown_pin,
    )
    is_asked = asked.by_spec and revision.id == asked.revision.id
    spec = pipeline.spec if is_asked or stays else mixed(pipeline.spec, revision.spec)
    return Plan(
        pipeline=replace(pipeline, spec=spec),
        revision=revision,
        state=state,
        keep=_keep(pipeline, known, state, {revision.id, runs, before.current}),
        stays=stays,
        refusal=asked.refusal,
    )


def _learned(pipeline: Pipeline, seen: Observation, known: Stored, runs: str) -> Revisions:
    """What was remembered, and that what runs is good where it runs with all its replicas."""
    before, deployment = state_of(pipeline.status), deployment_of(pipeline, seen)
    if deployment is None or runs not in known or not runs_whole(deployment, pipeline.spec.autoscaling):
        return before
    is_cleared = before.rejected is not None and before.rejected.revision == runs
    return replace(before, last_good=runs, rejected=None if is_cleared else before.rejected)


def _verdict(
    pipeline: Pipeline, seen: Observation, asked: Asked, before: Revisions, good: Revision | None
) -> Rejected | None:
    """The verdict to remember: the one of before, while it is on what is asked for, or a new one."""
    rejected, revision = before.rejected, asked.revision.id
    if not _goes_back(pipeline):
        return None
    if rejected is not None and asked.by_spec and rejected.revision != revision:
        rejected = None  # the specification asks for another one since
    if good is None or good.id == revision or (rejected is not None and _holds(rejected, asked)):
        return rejected
    fault = own_fault(pipeline, seen, revision, good.id)
    if fault is None:
        return rejected
    return Rejected(revision, pipeline.generation, fault.reason, fault.message, asked.pin)


def _holds(rejected: Rejected, asked: Asked) -> bool:
    """Whether a verdict is on what is asked for. People who pin a rejected revision want it tried again."""
    return rejected.revision == asked.revision.id and asked.pin in ("", rejected.pin)


def _goes_back(pipeline: Pipeline) -> bool:
    return (pipeline.spec.upgrade or Upgrade()).rollback != "Never"


def _keep(pipeline: Pipeline, known: Stored, state: Revisions, counting: set[str]) -> frozenset[Ref]:
    """Those that count, and the newest besides what runs."""
    limit = (pipeline.spec.upgrade or Upgrade()).history_limit or DEFAULT_HISTORY_LIMIT
    newest = [revision for revision in known.newest if revision != state.current][:limit]
    rejected = "" if state.rejected is None else state.rejected.revision
    kept = {*newest, *counting, state.current, state.last_good, state.pinned, rejected} - {""}
    return frozenset(
        Ref(CONTROLLER_REVISION, controller_revision(pipeline.key.name, revision)) for revision in kept
    )
