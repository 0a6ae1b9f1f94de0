"""API keys that are made where a pipeline asks for them, and kept in its data folder."""

from __future__ import annotations

import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

from ragfleet_runtime.errors import StartError
from ragfleet_runtime.guard.entries import ROLES, Role
from ragfleet_runtime.secrets_files import DirectorySecrets

_NAME: Final = "default"
_PREFIX: Final = "rf_"
_BYTES: Final = 32


def generated_keys(folder: Path, secret: str) -> DirectorySecrets:
    """The Secret of a pipeline's own keys in its data folder; what isn't there yet is made, once.

    There is a key for each role, as the entry "default.ROLE". Raises StartError.
    """
    place = folder / secret
    try:
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
        for role in ROLES:
            _make(key_file(folder, secret, role))
    except OSError as error:
        raise StartError(f"API keys can't be kept in {place}: {error.strerror}") from error
    return DirectorySecrets(folder)


def key_file(folder: Path, secret: str, role: Role) -> Path:
    """Where the generated key of a role is."""
    return folder / secret / f"{_NAME}.{role}"


def new_key() -> str:
    """A key of 256 random bits."""
    return _PREFIX + secrets.token_urlsafe(_BYTES)


def _make(path: Path) -> None:
    """Write a new key to the file, unless it is there: whole, for its owner's eyes. Raises OSError."""
    if path.exists():
        return
    # A name that a reader of Secrets passes over.
    unfinished = path.with_name(f"..{path.name}-{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(f"{new_key()}\n")
            file.flush()
            os.fsync(file.fileno())
        # A link, unlike a renaming, leaves a key as it is that another process has made meanwhile.
        with suppress(FileExistsError):
            path.hardlink_to(unfinished)
    finally:
        unfinished.unlink()
    _sync(path.parent)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
