"""Pipelines for tests of the operator, and their children."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from ragfleet_api.manifest import load_manifest
from ragfleet_api.spec import RAGPipelineSpec
from ragfleet_operator.kinds import OPTIONAL, Kind
from ragfleet_operator.model import Child, Key, Observation, Pipeline, Settings
from ragfleet_operator.render import render
from support.case import changed

SETTINGS: Final = Settings(
    image="registry.example/ragfleet:1.2.3", cluster="test", namespace="ragfleet-system"
)
EVERY_KIND: Final = Observation(kinds=OPTIONAL)
UID: Final = "0f2f5c5e-4f5e-4a52-9a30-6f3f2f4c8a11"
CANARY: Final = "rf_canary-7f3a-"
EXAMPLES: Final = Path(__file__).parents[2] / "examples"
EXAMPLE_NAMES: Final = sorted(path.parent.name for path in EXAMPLES.glob("*/pipeline.yaml"))


def make_pipeline(
    changes: Mapping[str, Any] | None = None, *, name: str = "handbook", namespace: str = "team-a"
) -> Pipeline:
    """The smallest pipeline with settings changed: values by path from ``spec``; ``...`` takes one away."""
    manifest = changed({f"spec.{path}": value for path, value in (changes or {}).items()})
    return pipeline_of(manifest["spec"], name=name, namespace=namespace)


def pipeline_of(spec: Mapping[str, Any], *, name: str = "handbook", namespace: str = "team-a") -> Pipeline:
    """A pipeline whose spec is given as JSON."""
    model = RAGPipelineSpec.model_validate(spec, by_name=False)
    return Pipeline(Key(namespace, name), UID, 1, model)


def example(name: str, *, namespace: str = "default") -> Pipeline:
    """The pipeline of a folder in examples/."""
    manifest = load_manifest(EXAMPLES / name / "pipeline.yaml")
    return Pipeline(Key(namespace, manifest.metadata.name), UID, 1, manifest.spec)


def canaries() -> Callable[[], str]:
    """A source of Secret values that differ, and that can be looked for."""
    numbers = itertools.count()
    return lambda: f"{CANARY}{next(numbers):032}"


def children_of(
    pipeline: Pipeline, *, settings: Settings = SETTINGS, seen: Observation = EVERY_KIND
) -> tuple[Child, ...]:
    """All children of a pipeline."""
    return render(pipeline, settings, seen, new_secret=canaries())


def rendered(
    changes: Mapping[str, Any] | None = None,
    *,
    settings: Settings = SETTINGS,
    seen: Observation = EVERY_KIND,
) -> tuple[Child, ...]:
    """All children of the smallest pipeline with settings changed, as of ``make_pipeline``."""
    return children_of(make_pipeline(changes), settings=settings, seen=seen)


def of_kind(children: tuple[Child, ...], kind: Kind) -> list[Child]:
    """Those of a kind."""
    return [child for child in children if child.kind == kind]


def one(children: tuple[Child, ...], kind: Kind) -> dict[str, Any]:
    """The manifest of the only child of a kind."""
    (child,) = of_kind(children, kind)
    return dict(child.manifest)


def walk(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value in a manifest with its path; positions of lists are left out of paths."""
    yield path, value
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from walk(inner, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        for inner in value:
            yield from walk(inner, path)
