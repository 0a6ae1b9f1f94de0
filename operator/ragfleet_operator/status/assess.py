"""The whole status of a pipeline, from what was seen of it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ragfleet_operator.model import Key, Object, Observation, Pipeline
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.availability import runtime_available
from ragfleet_operator.status.conditions import (
    CHILDREN_APPLIED,
    MEANINGS,
    READY,
    RECONCILING,
    SECRETS_RESOLVED,
    STALLED,
    SUSPENDED,
    Verdict,
    conditions_of,
    with_summary,
    written,
)
from ragfleet_operator.status.facts import facts
from ragfleet_operator.status.faults import children_applied
from ragfleet_operator.status.polled import polled
from ragfleet_operator.status.ready import Findings, ready
from ragfleet_operator.status.references import secrets_resolved
from ragfleet_operator.status.workload import workload_of


def assess(pipeline: Pipeline, seen: Observation, now: datetime) -> dict[str, Any]:
    """The whole status as JSON, after a pass that applied what ``pipeline`` asks for.

    seen: must hold the answers to what was applied, or Ready could be told of an older Deployment. Fields and
    conditions of the stored status that aren't the operator's are kept; all others are written anew.
    """
    workload = workload_of(pipeline, seen)
    rest = (
        children_applied(seen),
        secrets_resolved(pipeline, seen),
        runtime_available(pipeline, seen, workload),
        *polled(pipeline, seen, workload),
    )
    summary = ready(Findings(pipeline, seen, workload, {verdict.type: verdict for verdict in rest}))
    conditions = written(with_summary(summary, rest), pipeline.status, pipeline.generation, now)
    return {**facts(pipeline, seen, workload), "conditions": conditions}


def assess_suspended(pipeline: Pipeline, seen: Observation, now: datetime) -> dict[str, Any]:
    """The status of a pipeline that is left alone: what runs is told, what it should be isn't looked at."""
    workload = workload_of(pipeline, seen)
    message = "nothing is changed until spec.suspend is taken away; what runs goes on"
    verdicts = (
        Verdict(READY, "Unknown", r.SUSPENDED, message),
        Verdict(SUSPENDED, "True", r.SUSPENDED, message),
        Verdict(CHILDREN_APPLIED, "Unknown", r.SUSPENDED, "not looked at while suspended"),
        Verdict(SECRETS_RESOLVED, "Unknown", r.SUSPENDED, "not looked for while suspended"),
        runtime_available(pipeline, seen, workload),
        *polled(pipeline, seen, workload),
    )
    conditions = written(verdicts, pipeline.status, pipeline.generation, now)
    return {**facts(pipeline, seen, workload), "conditions": conditions}


def assess_invalid(key: Key, generation: int, status: Object, message: str, now: datetime) -> dict[str, Any]:
    """The status of a stored object that this version can't read.

    status: as it is stored; what it tells of the service stays, with the generation that it was told for.
    message: what is wrong with the object.
    """
    place = f"{key.name} --namespace {key.namespace}"
    told = f"{message}; correct it: kubectl edit ragpipelines.ragfleet.dev {place}"
    summary = with_summary(Verdict(READY, "False", r.INVALID_SPEC, told), ())
    ours = written(summary, {"conditions": _summary_of(status)}, generation, now)
    replaced = {READY, RECONCILING, STALLED, SUSPENDED}
    kept = [value for type_, value in conditions_of(status).items() if type_ not in replaced]
    order = list(MEANINGS)
    kept.sort(key=lambda value: order.index(value["type"]) if value["type"] in order else len(order))
    return {**status, "observedGeneration": generation, "conditions": [*ours, *kept]}


def _summary_of(status: Object) -> list[Any]:
    return [value for type_, value in conditions_of(status).items() if type_ in (READY, STALLED)]
