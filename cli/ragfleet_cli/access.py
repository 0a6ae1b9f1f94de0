"""Which service a command talks to, and with which key."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from ragfleet_cli.errors import CliError

KEY_VARIABLE: Final = "RAGFLEET_API_KEY"
_LONGEST_KEY: Final = 4096
# What a header can carry (VCHAR of RFC 5234).
_VISIBLE: Final = re.compile(r"[\x21-\x7e]+")


@dataclass(frozen=True, slots=True)
class Target:
    """A service's address, and the API key for it if there is one."""

    url: str
    api_key: str | None = field(default=None, repr=False)


def target(url: str, key_file: Path | None) -> Target:
    """The service at ``url``, with the key in the file, or else in the variable RAGFLEET_API_KEY.

    Raises CliError where the key can't be read or can't be one; no message shows it.
    """
    if key_file is not None:
        return Target(url, _checked(_read(key_file), f"--api-key-file {key_file}"))
    value = os.environ.get(KEY_VARIABLE, "").strip()
    return Target(url, _checked(value, KEY_VARIABLE) if value else None)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            content = opened.read(_LONGEST_KEY + 1)
    except OSError as error:
        raise CliError(f"--api-key-file {file}: {(error.strerror or str(error)).lower()}") from error
    return content.decode("latin-1").strip()


def _checked(key: str, place: str) -> str:
    if not key:
        raise CliError(f"{place}: there is nothing in it; it must hold an API key")
    if len(key) > _LONGEST_KEY or not _VISIBLE.fullmatch(key):
        raise CliError(f"{place}: holds no API key, which is one word of letters, digits and signs")
    return key
