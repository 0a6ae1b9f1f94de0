"""Every field of the specification shows in what is made for a pipeline."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from ragfleet_api.schema import structural_schema
from ragfleet_api.spec import RAGPipelineSpec
from ragfleet_operator.kinds import CONFIG_MAP, CONTROLLER_REVISION
from ragfleet_operator.render import config_of
from support.rendering import SETTINGS, make_pipeline, rendered
from support.sections import around, leaves, valid_values

LEAVES: Final = dict(leaves(structural_schema(RAGPipelineSpec)))
# A pipeline that is suspended isn't rendered at all; and which revision is rendered, and which are kept, is
# decided before: tests/unit/operator/revisions holds these to their effect.
ELSEWHERE: Final = {"suspend", "runtime.upgradePolicy", "upgrade.rollback", "upgrade.historyLimit"}


def settings_of(path: str) -> list[dict[str, Any]]:
    return [around(path, value) for value in valid_values(path, LEAVES[path])]


def manifests(changes: dict[str, Any]) -> str:
    # A revision holds the specification as a whole, so it shows every difference, and that is no effect.
    children = [child for child in rendered(changes) if child.kind != CONTROLLER_REVISION]
    return json.dumps([child.manifest for child in children])


def configuration(changes: dict[str, Any]) -> str:
    return config_of(make_pipeline(changes), SETTINGS).canonical_json()


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - ELSEWHERE))
def test_children_differ_where_the_field_differs(path: str) -> None:
    settings = settings_of(path)
    assert len(settings) > 1
    assert len({manifests(changes) for changes in settings}) == len(settings)


@pytest.mark.parametrize("path", sorted(LEAVES.keys() - ELSEWHERE))
def test_a_field_that_the_service_reads_is_in_its_configuration_and_another_does_not_change_it(
    path: str,
) -> None:
    settings = settings_of(path)
    configurations = {configuration(changes) for changes in settings}
    maps = {
        json.dumps([child.manifest for child in rendered(changes) if child.kind == CONFIG_MAP])
        for changes in settings
    }
    assert len(maps) == len(configurations)


@pytest.mark.parametrize("path", sorted(ELSEWHERE))
def test_what_is_excused_makes_no_difference_here(path: str) -> None:
    assert len({manifests(changes) for changes in settings_of(path)}) == 1


def test_what_is_excused_is_a_field() -> None:
    assert set(LEAVES) >= ELSEWHERE
