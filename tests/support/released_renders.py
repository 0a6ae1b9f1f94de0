"""Pod templates as each released version rendered them, and what has become of them since.

A pipeline that nobody changed must render to the template of the last release, or its pods roll with the next
upgrade. Where that is meant, CHANGELOG.md says so under *Unreleased*, in a line that starts with
``- Rolls pods:``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Pipeline
from support.rendering import EXAMPLE_NAMES, children_of, example, one, pipeline_of
from support.rule_cases import VALID

RELEASES: Final = Path(__file__).parents[1] / "goldens" / "releases"
CHANGELOG: Final = Path(__file__).parents[2] / "CHANGELOG.md"
DECLARATION: Final = "- Rolls pods:"
VERSION: Final = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+")

Template = Mapping[str, Any]
TemplateOf = Callable[[Pipeline], Template]


def template_of(pipeline: Pipeline) -> Template:
    """The template of a pipeline's pods, as it is rendered now."""
    template: Template = one(children_of(pipeline), DEPLOYMENT)["spec"]["template"]
    return template


def pipelines() -> dict[str, Pipeline]:
    """What a release is held to, by name: the examples, and pipelines that between them set every field."""
    everything = {
        re.sub("[^a-z]+", "-", case.name.lower()): pipeline_of(case.manifest()["spec"])
        for case in VALID
        if case.name.startswith("every field")
    }
    return {**{name: example(name) for name in EXAMPLE_NAMES}, **everything}


def write_release(version: str, releases: Path = RELEASES, *, templates: TemplateOf = template_of) -> None:
    """Keep what this version renders. Raises FileExistsError where it is kept already."""
    folder = releases / version
    folder.mkdir(parents=True)
    for name, pipeline in pipelines().items():
        kept = {
            "namespace": pipeline.key.namespace,
            "name": pipeline.key.name,
            # The example itself may change, and then it is another pipeline.
            "spec": pipeline.spec.model_dump(mode="json", by_alias=True, exclude_none=True),
            "template": templates(pipeline),
        }
        (folder / f"{name}.yaml").write_text(_dumped(kept), encoding="utf-8")


def versions(releases: Path = RELEASES) -> list[str]:
    """The versions that are kept, oldest first."""
    found = [path.name for path in releases.iterdir()] if releases.exists() else []
    return sorted(found, key=lambda name: [int(part) for part in name.split(".")])


def differences(releases: Path = RELEASES, *, templates: TemplateOf = template_of) -> dict[str, str]:
    """How templates differ from those of the last release, by name; nothing where they don't."""
    released = versions(releases)
    if not released:
        return {}
    found = {}
    for file in sorted((releases / released[-1]).glob("*.yaml")):
        kept = yaml.safe_load(file.read_text(encoding="utf-8"))
        pipeline = pipeline_of(kept["spec"], name=kept["name"], namespace=kept["namespace"])
        template = templates(pipeline)
        if template != kept["template"]:
            found[file.stem] = _diff(f"{released[-1]}/{file.name}", kept["template"], template)
    return found


def unreleased(changelog: str) -> str:
    """What a changelog says of the version to come."""
    return changelog.split("\n## [Unreleased]\n")[1].split("\n## [", maxsplit=1)[0]


def is_declared(changelog: str) -> bool:
    """Whether a changelog says that the version to come rolls pods, and why."""
    lines = unreleased(changelog).splitlines()
    return any(line.startswith(DECLARATION) and line.removeprefix(DECLARATION).strip() for line in lines)


def problem(found: Mapping[str, str], *, declared: bool) -> str:
    """What is wrong with differences that are, or aren't, declared; "" where nothing is."""
    if found and not declared:
        return (
            f"pods of unchanged pipelines would roll: render as before, or say why under Unreleased in "
            f"CHANGELOG.md, in a line that starts with {DECLARATION!r}\n" + "\n".join(found.values())
        )
    if declared and not found:
        return (
            f"no template differs from the last release's: take the line {DECLARATION!r} out of CHANGELOG.md"
        )
    return ""


def _diff(name: str, before: Template, now: Template) -> str:
    texts = (_dumped(before).splitlines(), _dumped(now).splitlines())
    return "\n".join(difflib.unified_diff(*texts, name, "rendered now", "", "", 2))


def _dumped(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, width=100)
