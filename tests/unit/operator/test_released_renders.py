"""An upgrade of the operator rolls no pod of an unchanged pipeline, or the changelog says that it does.

With a release: RAGFLEET_WRITE_GOLDENS=X.Y.Z .venv/bin/pytest tests/unit/operator/test_released_renders.py
"""

from __future__ import annotations

import copy
import os
import re
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragfleet_api.config.versions import CURRENT_VERSION, SUPPORTED_VERSIONS
from ragfleet_operator.model import Pipeline
from support.released_configs import Form, form_now, form_problem, read_form, write_form
from support.released_renders import (
    CHANGELOG,
    RELEASES,
    VERSION,
    differences,
    is_declared,
    pipelines,
    problem,
    template_of,
    unreleased,
    versions,
    write_release,
)
from support.rendering import EXAMPLE_NAMES

_HEAD = "# Changelog\n\n## [Unreleased]\n\nTo become 1.1.0.\n\n### Changed\n\n"
_TAIL = "\n## [1.0.0] - 2026-01-31\n\n- Rolls pods: an older release did.\n"


def with_another_probe(pipeline: Pipeline) -> dict[str, Any]:
    """As an operator that renders otherwise."""
    template: dict[str, Any] = copy.deepcopy(dict(template_of(pipeline)))
    template["spec"]["containers"][0]["livenessProbe"]["periodSeconds"] += 1
    return template


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Releases with 1.0.0, which renders as now."""
    folder = tmp_path_factory.mktemp("releases")
    write_release("1.0.0", folder)
    return folder


@pytest.fixture
def releases(written: Path, tmp_path: Path) -> Path:
    """The same, to be changed."""
    shutil.copytree(written, tmp_path / "releases")
    return tmp_path / "releases"


def test_no_pod_of_an_unchanged_pipeline_rolls_unless_the_changelog_says_so() -> None:
    asked = os.environ.get("RAGFLEET_WRITE_GOLDENS", "")
    if VERSION.fullmatch(asked):
        assert asked == version("ragfleet"), "not the version that pyproject.toml says"
        write_release(asked)
        write_form(RELEASES / asked, form_now())
    found = problem(differences(), declared=is_declared(CHANGELOG.read_text(encoding="utf-8")))
    assert not found, found


def test_services_of_the_last_release_can_be_told_their_configuration() -> None:
    for released in versions()[-1:]:
        found = form_problem(read_form(RELEASES / released), form_now(), SUPPORTED_VERSIONS)
        assert not found, found


def test_every_release_is_kept_and_nothing_else() -> None:
    changelog = CHANGELOG.read_text(encoding="utf-8")
    released = set(re.findall(r"^## \[([0-9.]+)\]", changelog, re.MULTILINE))
    to_come = set(re.findall(r"To become ([0-9.]+[0-9])", unreleased(changelog)))
    assert released <= set(versions()) <= released | to_come


def test_a_template_that_is_as_it_was_is_no_difference(releases: Path) -> None:
    assert differences(releases) == {}
    assert problem({}, declared=False) == ""


def test_a_template_that_changed_is_a_problem_and_is_shown(releases: Path) -> None:
    found = differences(releases, templates=with_another_probe)
    assert found.keys() == pipelines().keys()
    told = problem(found, declared=False)
    assert "pods of unchanged pipelines would roll" in told
    assert "--- 1.0.0/quickstart.yaml" in told
    assert re.search(r"^\+ +periodSeconds: 11$", told, re.MULTILINE)


def test_a_change_that_is_declared_is_none() -> None:
    assert problem({"quickstart": "@@"}, declared=True) == ""


def test_a_declaration_without_a_change_is_one() -> None:
    assert "take the line '- Rolls pods:' out" in problem({}, declared=True)


@pytest.mark.parametrize(
    ("entry", "declared"),
    [
        ("- Rolls pods: the probe of liveness asks less often.\n", True),
        ("- Something else.\n- Rolls pods: two reasons.\n", True),
        ("- Rolls pods:\n", False),
        ("- It rolls pods: no.\n", False),
        ("  - Rolls pods: not an entry of its own.\n", False),
        ("", False),
    ],
)
def test_what_is_declared_is_a_line_of_the_version_to_come(entry: str, declared: bool) -> None:
    assert is_declared(_HEAD + entry + _TAIL) is declared


def test_an_edit_of_an_example_is_another_pipeline(releases: Path) -> None:
    (releases / "1.0.0" / "quickstart.yaml").rename(releases / "1.0.0" / "no-longer-an-example.yaml")
    assert differences(releases) == {}


def test_the_last_release_is_what_counts(releases: Path) -> None:
    (releases / "1.0.0").rename(releases / "1.10.0")
    write_release("1.9.0", releases, templates=with_another_probe)
    assert versions(releases) == ["1.9.0", "1.10.0"]
    assert differences(releases) == {}


def test_a_release_is_never_written_again(releases: Path) -> None:
    before = {path: path.read_bytes() for path in (releases / "1.0.0").iterdir()}
    with pytest.raises(FileExistsError):
        write_release("1.0.0", releases, templates=with_another_probe)
    assert {path: path.read_bytes() for path in (releases / "1.0.0").iterdir()} == before


def test_what_is_kept_is_every_example_and_every_field_of_the_pods(releases: Path) -> None:
    kept = {path.stem: yaml.safe_load(path.read_text()) for path in (releases / "1.0.0").iterdir()}
    assert kept.keys() > set(EXAMPLE_NAMES)
    rest = [value["spec"].get("runtime", {}) for name, value in kept.items() if name not in EXAMPLE_NAMES]
    assert {field for runtime in rest for field in runtime} >= {"env", "caBundle", "models", "tolerations"}


def with_another_field(form: Form, *, newer: bool = False) -> Form:
    """A form that services of the release don't know."""
    properties = {**form.schema["properties"], "description": {"type": "string"}}
    return Form(form.version + newer, {**form.schema, "properties": properties})


def test_the_form_that_is_kept_is_read_as_it_was_and_has_a_place_for_every_field(tmp_path: Path) -> None:
    write_form(tmp_path, form_now())
    assert read_form(tmp_path) == form_now()
    assert form_now().version == CURRENT_VERSION
    assert {"configVersion", "owner", "store"} <= form_now().schema["properties"].keys()
    assert "description" in with_another_field(form_now()).schema["properties"]


def test_a_form_that_is_as_it_was_can_be_read() -> None:
    assert form_problem(form_now(), form_now(), SUPPORTED_VERSIONS) == ""


def test_a_form_that_changed_within_its_version_is_a_problem() -> None:
    found = form_problem(form_now(), with_another_field(form_now()), SUPPORTED_VERSIONS)
    assert f"make it version {CURRENT_VERSION + 1}" in found


def test_a_new_version_needs_that_the_one_before_can_be_written() -> None:
    now = with_another_field(form_now(), newer=True)
    assert form_problem(form_now(), now, (now.version, now.version - 1)) == ""
    assert "can't be written now" in form_problem(form_now(), now, (now.version,))
