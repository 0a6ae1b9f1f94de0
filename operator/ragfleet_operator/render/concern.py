"""Which parts of a specification pods are made of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from ragfleet_api.config.canonical import canonical_json
from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_operator.model import Pipeline, Settings
from ragfleet_operator.render.parts import some

# Sections that other objects are made of. What isn't named here or below counts as the pods'.
BESIDE_PODS: Final = (
    "replicas",
    "autoscaling",
    "exposure",
    "networkPolicy",
    "monitoring",
    "suspend",
    "upgrade",
)
_DIGITS: Final = 16


def as_json(spec: RAGPipelineSpec) -> dict[str, Any]:
    """The specification as it stands in a manifest."""
    return spec.model_dump(mode="json", by_alias=True, exclude_none=True)


def input_of(pipeline: Pipeline, settings: Settings, image: str) -> str:
    """Identity of what a pipeline's pods are rendered from (16 hex digits).

    It is one of the specification and not of what becomes of it, so that another operator finds the same.
    """
    text = canonical_json([_of_pods(as_json(pipeline.spec)), image, settings.cluster])
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]


def _of_pods(spec: Mapping[str, Any]) -> dict[str, Any]:
    rest = {name: section for name, section in spec.items() if name not in BESIDE_PODS}
    store, runtime = spec["vectorStore"], spec.get("runtime") or {}
    embedded = _without(store.get("embedded") or {}, "storage")
    account = _without(runtime.get("serviceAccount") or {}, "annotations")
    return {
        **_without(rest, "runtime"),
        "vectorStore": {**_without(store, "deletionPolicy", "embedded"), **some(embedded=embedded)},
        **some(
            # The image is that which was chosen, whether the specification names it or not.
            runtime={
                **_without(runtime, "image", "upgradePolicy", "serviceAccount"),
                **some(serviceAccount=account),
            }
        ),
    }


def _without(section: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in section.items() if name not in names}
