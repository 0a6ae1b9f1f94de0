"""The text of a manifest file."""

from __future__ import annotations

import sys
from pathlib import Path as FilePath
from typing import BinaryIO, Final, Literal

from ragfleet_api.problems import ManifestError, Problem

MAX_BYTES: Final = 2**20
_STDIN: Final = "stdin"


def read_manifest(path: FilePath | Literal["-"]) -> tuple[str, str]:
    """The text of a file, or of standard input for "-", and the name by which messages call it.

    Raises ManifestError where it can't be read, is larger than ``MAX_BYTES``, or is not UTF-8.
    """
    source = _STDIN if path == "-" else str(path)
    return _decode(_read(path, source), source), source


def file_error(message: str, source: str) -> ManifestError:
    """The error of a file as a whole."""
    return ManifestError([Problem("", None, message, source)])


def _read(path: FilePath | Literal["-"], source: str) -> bytes:
    try:
        if path == "-":
            return _read_limited(sys.stdin.buffer, source)
        with FilePath(path).open("rb") as file:
            return _read_limited(file, source)
    except FileNotFoundError as error:
        raise file_error("no such file", source) from error
    except IsADirectoryError as error:
        raise file_error("is a directory; name the manifest file in it", source) from error
    except OSError as error:
        raise file_error(f"cannot be read: {error.strerror}", source) from error


def _read_limited(file: BinaryIO, source: str) -> bytes:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise file_error(f"larger than {MAX_BYTES // 2**20} MiB, which no manifest needs", source)
    return content


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8 text (byte 0x{content[error.start]:02x}); save the file as UTF-8"
        raise ManifestError([Problem("", line, message, source)]) from error
