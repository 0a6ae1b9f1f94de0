"""The form of the service's configuration in each release, and whether its services can still be told.

A service refuses a field that it doesn't know. So whatever changes in the form makes another version of the
configuration, and the one before it can still be written.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.config.versions import CURRENT_VERSION

FILE: Final = "config-schema.json"
# What is for people.
_SAID: Final = ("description", "title")


@dataclass(frozen=True, slots=True)
class Form:
    """A version of the configuration, and its JSON schema."""

    version: int
    schema: Mapping[str, Any]


def form_now() -> Form:
    """What this build writes by itself."""
    schema = RuntimeConfig.model_json_schema(by_alias=True)
    kept: dict[str, Any] = _without_words(schema)
    return Form(CURRENT_VERSION, kept)


def write_form(folder: Path, form: Form) -> None:
    """Keep a form in the folder of a release."""
    kept = {"version": form.version, "schema": form.schema}
    (folder / FILE).write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def read_form(folder: Path) -> Form:
    """The form in the folder of a release."""
    kept = json.loads((folder / FILE).read_text(encoding="utf-8"))
    return Form(kept["version"], kept["schema"])


def form_problem(released: Form, now: Form, written: Collection[int]) -> str:
    """What is wrong with a form after a release, "" where nothing is. written: versions that can be."""
    if released.version == now.version and released.schema != now.schema:
        return (
            f"services of the last release would refuse this configuration: make it version "
            f"{now.version + 1}, with an entry in DOWNGRADES that makes version {now.version} of it"
        )
    if released.version not in written:
        return f"services of the last release read version {released.version}, which can't be written now"
    return ""


def _without_words(node: Any, *, names: bool = False) -> Any:
    """A schema without what is said in it; names: whether the keys of this map are of fields or models."""
    if isinstance(node, dict):
        return {
            key: _without_words(value, names=key in ("properties", "$defs") and not names)
            for key, value in node.items()
            if names or key not in _SAID
        }
    return [_without_words(item) for item in node] if isinstance(node, list) else node
