"""Whether what is there is what should be: asked of the API server, by applies that change nothing.

A child is right where a dry run of an apply of its fresh render gives the object that is there. That knows
each default and each spelling, finds fields that were left behind, and shares no code with the operator's
own comparison.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

import httpx

from ragfleet_operator.engine.client import as_yaml
from ragfleet_operator.engine.drift import marked
from ragfleet_operator.engine.parse import read_pipeline
from ragfleet_operator.kinds import DEPLOYMENT, PIPELINE, PVC
from ragfleet_operator.model import Child, Observation, Pipeline, Ref, Settings, Way
from ragfleet_operator.names import (
    FIELD_MANAGER,
    PIPELINE_LABEL,
    REVISION_LABEL,
    ROTATED_ANNOTATION,
    SECRETS_ANNOTATION,
)
from ragfleet_operator.render import render, without_workload
from ragfleet_operator.revisions import plan
from support.fault_proxy_state import differences, objects_of

Object = Mapping[str, Any]


class Wanted(NamedTuple):
    """What a pipeline's children should be. keep: what may be there besides."""

    children: Sequence[Child]
    keep: frozenset[Ref]
    wrong: Sequence[str] = ()


Wants = Callable[[Object, Mapping[Ref, Object]], Wanted]

_APPLY: Final = {"Content-Type": "application/apply-patch+yaml; charset=utf-8"}
_BOOKKEEPING: Final = frozenset({"resourceVersion", "managedFields", "generation"})
# A list says the version and the kind once; a status is the work of others.
_OF_THE_LIST: Final = frozenset({"apiVersion", "kind", "metadata", "status"})


def rendered(settings: Settings) -> Wants:
    """What a pipeline's children should be: a render of its spec, or of what its status says is served."""

    def wants(obj: Object, children: Mapping[Ref, Object]) -> Wanted:
        pipeline, seen = read_pipeline(obj), Observation(children=children)
        planned = plan(pipeline, settings, seen)
        deployment = children.get(Ref(DEPLOYMENT, pipeline.key.name), {"metadata": {}, "spec": {}})
        template = deployment["spec"].get("template", {}).get("metadata", {})
        made = render(
            planned.pipeline,
            settings,
            seen,
            new_secret=lambda: "rf_not_to_be_applied",
            revision=planned.revision,
            # Of keys that aren't known here.
            secrets_digest=(template.get("annotations") or {}).get(SECRETS_ANNOTATION, ""),
            rotated_at=(deployment["metadata"].get("annotations") or {}).get(ROTATED_ANNOTATION, ""),
        )
        wrong = _wrong_revision(pipeline, settings, (template.get("labels") or {}).get(REVISION_LABEL, ""))
        return Wanted(without_workload(made, seen) if planned.stays else made, planned.keep, wrong)

    return wants


def _wrong_revision(pipeline: Pipeline, settings: Settings, runs: str) -> list[str]:
    """Where the Deployment runs neither what its spec asks for nor what its status says, and why not."""
    told = pipeline.status.get("revisions") or {}
    asked = plan(replace(pipeline, status={}, annotations={}), settings, Observation()).revision.id
    wrong = []
    if told.get("current") != runs:
        wrong.append(f"the status tells of the revision {told.get('current')}, and {runs} runs")
    is_explained = told.get("rejected") or told.get("pinned") or _has_unknown_pin(pipeline.status)
    if runs != asked and not is_explained:
        wrong.append(f"{runs} runs, the spec asks for {asked}, and the status doesn't say why")
    return wrong


def _has_unknown_pin(status: Object) -> bool:
    return any(one["reason"] == "RevisionNotFound" for one in status.get("conditions") or ())


def divergences(client: httpx.Client, namespace: str, wants: Wants) -> dict[str, list[str]]:
    """What is wrong with each pipeline of a namespace; at "", with what belongs to none. {}: all is right."""
    objects = objects_of(client, namespace)
    pipelines = {item["metadata"]["name"]: item for kind, item in objects if kind == PIPELINE}
    children: dict[str, dict[Ref, Object]] = {}
    for kind, item in objects:
        if kind != PIPELINE:
            name = item["metadata"]["labels"][PIPELINE_LABEL]
            children.setdefault(name, {})[Ref(kind, item["metadata"]["name"])] = item
    told = {"": list(_orphans(pipelines, children))}
    for name, pipeline in pipelines.items():
        own = children.get(name, {})
        told[name] = list(_of_pipeline(client, pipeline, own, wants(pipeline, own)))
    return {name: found for name, found in told.items() if found}


def is_told_ready(pipeline: Object) -> bool:
    """Whether a pipeline says that it is ready with its newest spec."""
    return any(
        (condition["type"], condition["status"]) == ("Ready", "True")
        and condition["observedGeneration"] == pipeline["metadata"]["generation"]
        for condition in pipeline.get("status", {}).get("conditions", ())
    )


def _orphans(pipelines: Mapping[str, Object], children: Mapping[str, Mapping[Ref, Object]]) -> Iterator[str]:
    """Children whose pipeline isn't there; a claim without an owner is kept on purpose."""
    uids = {pipeline["metadata"]["uid"] for pipeline in pipelines.values()}
    for name, own in children.items():
        for ref, item in own.items():
            owners = {owner["uid"] for owner in item["metadata"].get("ownerReferences") or ()}
            if not owners & uids and not (ref.kind == PVC and not owners):
                yield f"{_told(ref)} is of {name}, and its owner isn't there"


def _of_pipeline(
    client: httpx.Client, pipeline: Object, children: Mapping[Ref, Object], wanted: Wanted
) -> Iterator[str]:
    namespace, uid = pipeline["metadata"]["namespace"], pipeline["metadata"]["uid"]
    yield from wanted.wrong
    for child in wanted.children:
        live = children.get(child.ref)
        if live is None:
            yield f"{_told(child.ref)} is missing"
        elif child.way is Way.APPLIED:
            yield from _changes(client, namespace, child, live)
    for ref in children.keys() - {child.ref for child in wanted.children} - wanted.keep:
        owners = {owner["uid"] for owner in children[ref]["metadata"].get("ownerReferences") or ()}
        if uid in owners:
            yield f"{_told(ref)} is left over"


def _changes(client: httpx.Client, namespace: str, child: Child, live: Object) -> Iterator[str]:
    """What an apply would change."""
    answer = client.patch(
        child.kind.path(namespace, child.name),
        params={"dryRun": "All", "fieldManager": FIELD_MANAGER, "force": "true"},
        content=as_yaml(marked(child.manifest)),
        headers=_APPLY,
    )
    if answer.is_error:
        yield f"{_told(child.ref)} can't be applied: {answer.json()['message']:.300}"
        return
    for difference in differences(_content(live), _content(answer.json())):
        yield f"{_told(child.ref)}: {difference}"


def _content(item: Object) -> dict[str, Any]:
    metadata = {name: value for name, value in item["metadata"].items() if name not in _BOOKKEEPING}
    managed = {
        f"{entry['manager']} {entry['operation']}": entry["fieldsV1"]
        for entry in item["metadata"].get("managedFields") or ()
        if entry["manager"] == FIELD_MANAGER
    }
    kept = {name: value for name, value in item.items() if name not in _OF_THE_LIST}
    return {**kept, "metadata": metadata, "managed": managed}


def _told(ref: Ref) -> str:
    return f'{ref.kind.kind} "{ref.name}"'
