"""What the other objects of a pipeline are made of while its pods are of another revision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import ValidationError

from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_operator.model import Object
from ragfleet_operator.render.concern import BESIDE_PODS, as_json

Json = Mapping[str, Any]

# All that can make a mix invalid: an autoscaler or replicas beside the engine and resources of then.
_SCALING: Final = frozenset({"replicas", "autoscaling"})


def mixed(now: RAGPipelineSpec, then: Object) -> RAGPipelineSpec:
    """The kept specification, as JSON, with the sections that don't concern pods as they are now.

    Where its pods don't fit the scaling of now, that is taken from the kept one too. One that can't be read
    any more counts for nothing.
    """
    kept = _read(then)
    if kept is None:
        return now
    sections = (BESIDE_PODS, [name for name in BESIDE_PODS if name not in _SCALING])
    mixes = (_read(_mix(as_json(now), as_json(kept), names)) for names in sections)
    return next((spec for spec in mixes if spec is not None), kept)


def _read(spec: Json) -> RAGPipelineSpec | None:
    try:
        return RAGPipelineSpec.model_validate(spec, by_name=False)
    except ValidationError:
        return None


def _mix(now: Json, then: Json, sections: Sequence[str]) -> dict[str, Any]:
    taken = {name: now.get(name) for name in sections}
    store = _store(now["vectorStore"], then["vectorStore"])
    runtime = _runtime(now.get("runtime") or {}, then.get("runtime") or {})
    return _given({**then, **taken, "vectorStore": store, "runtime": runtime or None})


def _store(now: Json, then: Json) -> Json:
    """The claim of now, where the engine is the same."""
    if now["type"] != then["type"]:
        return then
    storage = (now.get("embedded") or {}).get("storage")
    embedded = _given({**(then.get("embedded") or {}), "storage": storage})
    return _given({**then, "deletionPolicy": now.get("deletionPolicy"), "embedded": embedded or None})


def _runtime(now: Json, then: Json) -> Json:
    """The annotations of now for the account of the pods, where it is made and not named."""
    account = then.get("serviceAccount") or {}
    if "name" in account:
        return then
    annotations = (now.get("serviceAccount") or {}).get("annotations")
    made = _given({**account, "annotations": annotations})
    return _given({**then, "serviceAccount": made or None})


def _given(section: Json) -> dict[str, Any]:
    """Without what is None; a section that is empty says something."""
    return {name: value for name, value in section.items() if value is not None}
