"""Reading the configuration that a pod's service is started with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.config.versions import READ_VERSIONS, VERSION_FIELD
from ragfleet_api.problems import show_path
from ragfleet_cli.errors import CliError

_MOST_BYTES: Final = 2**20  # Kubernetes' own limit of a ConfigMap
_SHOWN: Final = 10


def read_config(file: Path) -> RuntimeConfig:
    """The configuration in a file, as the operator writes it.

    Raises CliError for a version that this build doesn't read, before it looks at anything else, and with a
    line for each field that it doesn't understand. No value but the version is shown.
    """
    found = _read_object(file)
    _check_version(file, found)
    try:
        return RuntimeConfig.model_validate_json(json.dumps(found), by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        lines = [f"{file}: {show_path(one['loc'])}: {_told(one)}" for one in errors[:_SHOWN]]
        lines.append(
            f"{file}: {_this_build()}: run the service and the operator in versions that belong together"
        )
        raise CliError("\n".join(lines)) from None


def _read_object(file: Path) -> dict[str, Any]:
    try:
        with file.open("rb") as opened:
            content = opened.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CliError(f"--config {file}: {(error.strerror or str(error)).lower()}") from error
    if len(content) > _MOST_BYTES:
        raise CliError(f"--config {file}: larger than {_MOST_BYTES // 2**20} MiB")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CliError(
            f"--config {file}: not JSON; give the configuration that the operator wrote"
        ) from error
    if not isinstance(found, dict):
        raise CliError(f"--config {file}: not a JSON object; give the configuration that the operator wrote")
    return found


def _check_version(file: Path, found: Mapping[str, Any]) -> None:
    if VERSION_FIELD not in found:
        advice = "give the configuration that the operator wrote"
        raise CliError(f"{file}: {VERSION_FIELD} is missing, and {_this_build()}: {advice}")
    told = found[VERSION_FIELD]
    # By type too: to Python, true is 1.
    if type(told) is int and told in READ_VERSIONS:
        return
    shown = json.dumps(told)[:_SHOWN]
    raise CliError(f"{file}: {VERSION_FIELD} is {shown}, and {_this_build()}: {_way_out(told)}")


def _way_out(told: object) -> str:
    if type(told) is not int:
        return "give the configuration that the operator wrote"
    if told > max(READ_VERSIONS):
        return "name a newer image in spec.runtime.image, one of the operator's version"
    return "name an older image in spec.runtime.image, or run an operator of this image's version"


def _this_build() -> str:
    return f"this build ({version('ragfleet')}) reads {VERSION_FIELD} {', '.join(map(str, READ_VERSIONS))}"


def _told(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown field"
    return "missing" if error["type"] == "missing" else error["msg"].lower()
