"""What is left once the faults are over, and whether it is what should be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from bench.chaos.operators import Weight
from bench.chaos.specs import is_broken
from bench.table import Bar
from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.model import Settings
from support.fault_proxy_people import People
from support.fault_proxy_verdict import divergences, is_told_ready, rendered

_NO_WORD = frozenset({"NotPolled", "NoAnswer", "NotReported"})
_MOST_MEMORY = 1.3
_MOST_MORE = 10


def settle(
    they: People, namespaces: Sequence[str], settings: Settings, seconds: float
) -> dict[str, list[str]]:
    """What is wrong with each pipeline ("namespace/name"; "namespace/": with what belongs to none) at last.

    Looks until nothing is wrong, or for so many seconds.
    """
    deadline = time.monotonic() + seconds
    suspects = list(namespaces)
    while True:
        found = {namespace: _wrong(they, namespace, settings) for namespace in suspects}
        suspects = [namespace for namespace, told in found.items() if told]
        if not suspects:
            if len(found) == len(namespaces):
                return {}
            suspects = list(namespaces)  # all of them once more, at one moment
            continue
        if time.monotonic() > deadline:
            return {
                f"{namespace}/{name}": told
                for namespace, pipelines in found.items()
                for name, told in pipelines.items()
            }
        time.sleep(3)


def statuses(they: People, namespaces: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Each pipeline's conditions and revisions.

    Without the texts, which tell of pods that go on crashing. Whether a service that doesn't answer was asked
    yet is the same here: the operator takes its time to tell.
    """
    found = {}
    for namespace in namespaces:
        for pipeline in they.pipelines(namespace):
            status = pipeline.get("status") or {}
            conditions = {
                one["type"]: [one["status"], "" if one["reason"] in _NO_WORD else one["reason"]]
                for one in status.get("conditions") or ()
            }
            place = f"{namespace}/{pipeline['metadata']['name']}"
            found[place] = {"conditions": conditions, "revisions": status.get("revisions")}
    return found


def is_quarrel(told: Mapping[str, Any]) -> bool:
    """Whether a pipeline, as ``statuses`` gives it, says that others take fields again and again."""
    return any(reason == "FieldConflict" for _, reason in told["conditions"].values())


def wait_until_quiet(they: People, namespaces: Sequence[str], seconds: float) -> None:
    """Wait until what is told of pipelines stays as it is for so many seconds, or for six times as many."""
    found = statuses(they, namespaces)
    for _ in range(6):
        time.sleep(seconds)
        before, found = found, statuses(they, namespaces)
        if found == before:
            return


def weight_bars(lived: Weight, fresh: Weight) -> list[Bar]:
    """Whether an operator that has lived through faults holds about what a fresh one does."""
    bars = [
        Bar(
            "memory after faults / of a fresh operator",
            lived.megabytes / fresh.megabytes,
            "<=",
            _MOST_MEMORY,
            "",
            f"{lived.megabytes:.0f} MB, fresh {fresh.megabytes:.0f} MB",
        ),
        _more("file descriptors", lived.descriptors, fresh.descriptors),
        _more("sockets", lived.sockets, fresh.sockets),
        _more("threads", lived.threads, fresh.threads),
    ]
    if lived.tasks is not None and fresh.tasks is not None:
        bars.append(_more("tasks of the loop", lived.tasks, fresh.tasks))
    return bars


def _more(what: str, lived: int, fresh: int) -> Bar:
    return Bar(
        f"{what} more than a fresh operator has", lived - fresh, "<=", _MOST_MORE, "", f"{lived}, {fresh}"
    )


def _wrong(they: People, namespace: str, settings: Settings) -> dict[str, list[str]]:
    told = divergences(they.client, namespace, rendered(settings))
    for pipeline in they.pipelines(namespace):
        if wrong := _wrongly_told(pipeline):
            told.setdefault(pipeline["metadata"]["name"], []).append(wrong)
    return told


def _wrongly_told(pipeline: Mapping[str, Any]) -> str:
    """Whether a pipeline that works says that it doesn't, or the other way round; "" where it says right."""
    status = pipeline.get("status") or {}
    ready: Mapping[str, Any] = next(
        (one for one in status.get("conditions") or () if one["type"] == "Ready"), {}
    )
    if ready.get("observedGeneration") != pipeline["metadata"]["generation"]:
        return f"{PIPELINE.kind}: Ready is of generation {ready.get('observedGeneration')}"
    revisions = status.get("revisions") or {}
    # With an unknown pin, and after a rollback, what runs isn't what is asked for.
    if revisions.get("pinned") or revisions.get("rejected") or ready["reason"] == "RevisionNotFound":
        return ""
    if is_broken(pipeline) == is_told_ready(pipeline):
        return f"{PIPELINE.kind}: Ready is {ready['status']}, {ready['reason']}: {ready['message']}"
    return ""
