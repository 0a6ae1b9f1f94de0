"""Which edits replace pods: every field of the specification, held to one table, which docs/rolls.md shows.

After a change that is meant: RAGFLEET_WRITE_GOLDENS=1 .venv/bin/pytest tests/unit/operator/test_rolls.py
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from ragfleet_operator.kinds import CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT
from ragfleet_operator.names import INPUT_ANNOTATION
from support.case import changed
from support.rendering import children_of, of_kind, one, pipeline_of
from support.roll_specs import LEAVES, with_values, without
from support.rolls import DOES_NOT_ROLL, ROLLS, page

PAGE: Final = Path(__file__).parents[3] / "docs" / "rolls.md"


def workload(spec: dict[str, Any]) -> str:
    """What a pod is replaced for: the template of the Deployment, and the configuration by its name."""
    children = children_of(pipeline_of(spec))
    (configuration,) = of_kind(children, CONFIG_MAP)
    return json.dumps([configuration.name, one(children, DEPLOYMENT)["spec"]["template"]])


def asked_for(spec: dict[str, Any]) -> str:
    """What pods are rendered from: while it is the same, an operator of any version leaves them be."""
    annotations = one(children_of(pipeline_of(spec)), CONTROLLER_REVISION)["metadata"]["annotations"]
    asked: str = annotations[INPUT_ANNOTATION]
    return asked


def test_the_table_has_every_field_and_no_other() -> None:
    assert len({*ROLLS, *DOES_NOT_ROLL}) == len(ROLLS) + len(DOES_NOT_ROLL)
    assert {*ROLLS, *DOES_NOT_ROLL} == LEAVES.keys()


@pytest.mark.parametrize("path", ROLLS)
def test_pods_are_replaced_where_what_they_are_made_of_changes(path: str) -> None:
    specs = with_values(path)
    assert len(specs) > 1
    assert len({workload(spec) for spec in specs}) == len(specs)
    assert len({asked_for(spec) for spec in specs}) == len(specs)


@pytest.mark.parametrize("path", DOES_NOT_ROLL)
def test_pods_stay_where_nothing_of_theirs_changes(path: str) -> None:
    """Neither another value replaces them, nor taking the field away, nor the section that it is in."""
    specs = [*with_values(path), *without(path)]
    assert len(specs) > 2
    assert len({workload(spec) for spec in specs}) == 1
    assert len({asked_for(spec) for spec in specs}) == 1


def test_defaults_that_are_written_out_replace_no_pod() -> None:
    text = (PAGE.parent / "manifest.md").read_text(encoding="utf-8").split("```yaml\n")[1].split("```")[0]
    spelled_out = yaml.safe_load(text)["spec"]
    assert len(spelled_out) > 5
    assert workload(spelled_out) == workload(changed({"spec.auth": ...})["spec"])


def test_the_page_shows_the_table() -> None:
    text = page(list(LEAVES))
    if os.environ.get("RAGFLEET_WRITE_GOLDENS"):
        PAGE.write_text(text, encoding="utf-8")
    assert PAGE.read_text(encoding="utf-8") == text
