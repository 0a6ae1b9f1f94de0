"""What users type: texts, and ``key=value`` pairs."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

from ragfleet_cli.errors import CliError

Scalar = str | int | float | bool


def text_from(argument: str, name: str) -> str:
    """The argument, if it is Unicode text: the shell may pass any bytes. Raises CliError."""
    try:
        argument.encode()
    except UnicodeEncodeError as error:
        raise CliError(f"{name}: not UTF-8 text") from error
    return argument


def parse_pair(argument: str, option: str) -> tuple[str, Scalar]:
    """The key and the value: 5 is a number, true a boolean, "5" in double quotes and all else a string."""
    key, equals, text = text_from(argument, option).partition("=")
    if not equals or not key.strip():
        raise CliError(f"{option} {argument}: must be KEY=VALUE")
    return key.strip(), _scalar(text)


def metadata_from(arguments: Sequence[str]) -> dict[str, Scalar]:
    """The pairs as metadata; a key may be given once. Raises CliError."""
    metadata: dict[str, Scalar] = {}
    for argument in arguments:
        key, value = parse_pair(argument, "--metadata")
        if key in metadata:
            raise CliError(f"--metadata {argument}: {key} is given twice")
        metadata[key] = value
    return metadata


def filters_from(arguments: Sequence[str]) -> dict[str, Any]:
    """The pairs as a filter in the API's short form: a value, or a list for a key given more than once."""
    values: dict[str, list[Scalar]] = {}
    for argument in arguments:
        key, value = parse_pair(argument, "--filter")
        values.setdefault(key, []).append(value)
    return {key: found[0] if len(found) == 1 else found for key, found in values.items()}


def _scalar(text: str) -> Scalar:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    if isinstance(value, float) and not math.isfinite(value):
        return text
    return value if isinstance(value, str | int | float) else text
