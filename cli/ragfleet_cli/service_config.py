"""Reading the configuration that a pod's service is started with."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.problems import show_path
from ragfleet_cli.errors import CliError

_VERSION_FIELD: Final = "configVersion"
_MOST_BYTES: Final = 2**20  # Kubernetes' own limit of a ConfigMap
_SHOWN: Final = 10


def read_config(file: Path) -> RuntimeConfig:
    """The configuration in a file, as the operator writes it.

    Raises CliError for a version that this build doesn't know, and with a line for each field that it doesn't
    understand. No value is shown.
    """
    found = _read_object(file)
    known = get_args(RuntimeConfig.model_fields["config_version"].annotation)
    if found.get(_VERSION_FIELD) not in known:
        told = json.dumps(found[_VERSION_FIELD])[:_SHOWN] if _VERSION_FIELD in found else "missing"
        raise CliError(f"{file}: {_VERSION_FIELD} is {told}, and {_this_build(known)}")
    try:
        return RuntimeConfig.model_validate_json(json.dumps(found), by_alias=True, by_name=False)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_input=False)
        lines = [f"{file}: {show_path(one['loc'])}: {_told(one)}" for one in errors[:_SHOWN]]
        lines.append(f"{file}: {_this_build(known)}")
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


def _this_build(known: tuple[Any, ...]) -> str:
    versions = ", ".join(map(str, known))
    return (
        f"this build ({version('ragfleet')}) knows {_VERSION_FIELD} {versions}: "
        "run the service and the operator in versions that belong together"
    )


def _told(error: ErrorDetails) -> str:
    if error["type"] == "extra_forbidden":
        return "unknown field"
    return "missing" if error["type"] == "missing" else error["msg"].lower()
