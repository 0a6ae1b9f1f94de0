"""Secrets in memory and in files, as Kubernetes mounts them and as people write them."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, Generic, TypeVar

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.secrets import MissingSecretError, SecretSource

MAX_BYTES: Final = 2**20  # Kubernetes' own limit of a Secret
_CACHE_SECONDS: Final = 1.0
# What Kubernetes keeps beside the entries of a mounted Secret: "..data" leads to the version that is current.
_HIDDEN: Final = ".."
_ATTEMPTS: Final = 5
_CURRENT: Final = "..data"
_FILE_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,253}")
_READ: Final = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe in place of a file must not block

K = TypeVar("K")
V = TypeVar("V")


class AbsentSecretError(MissingSecretError):
    """Nobody has given it. ``way`` says how to, or is ""."""

    def __init__(self, what: str, way: str = "") -> None:
        super().__init__(f"{what}: {way}" if way else what)
        self.way = way


class UnusableSecretError(MissingSecretError):
    """It is there, but can't be read or isn't text; no other source stands in for it."""


class GivenSecrets:
    """Secrets in memory. ``way`` says how people give one."""

    def __init__(self, values: Mapping[str, Mapping[str, str]], *, way: str = "") -> None:
        self._values = {name: dict(entries) for name, entries in values.items()}
        self._way = way

    def read(self, ref: SecretKeyRef) -> str:
        """The entry's value. Raises MissingSecretError."""
        if ref.key not in self._values.get(ref.name, {}):
            raise AbsentSecretError(_no_entry(ref.name, ref.key), self._way)
        return _not_empty(self._values[ref.name][ref.key].strip(), ref)

    def entries(self, name: str) -> Mapping[str, str]:
        """All entries of a Secret. Raises MissingSecretError."""
        if name not in self._values:
            raise AbsentSecretError(_no_secret(name), self._way)
        return {key: value.strip() for key, value in self._values[name].items()}


class DirectorySecrets:
    """Secrets in a folder: FOLDER/NAME/KEY.

    Files are read when they are asked for, and again a second later, so that a change applies within seconds.
    The entries of a Secret that Kubernetes swaps come from one version of it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._values: _Cache[tuple[str, str], str] = _Cache()
        self._entries: _Cache[str, Mapping[str, str]] = _Cache()

    def read(self, ref: SecretKeyRef) -> str:
        """The entry's value. Raises MissingSecretError."""
        return self._values.get((ref.name, ref.key), lambda: self._read(ref))

    def entries(self, name: str) -> Mapping[str, str]:
        """All entries of a Secret, without its folders and hidden files. Raises MissingSecretError."""
        return self._entries.get(name, lambda: self._read_all(name))

    def _read(self, ref: SecretKeyRef) -> str:
        path = self._folder / ref.name
        absent = AbsentSecretError(_no_entry(ref.name, ref.key), f"write it to the file {path / ref.key}")
        if not (_is_file_name(ref.name) and _is_file_name(ref.key)):
            raise absent
        try:
            value = _in_current(path, lambda folder: _read_text(ref.name, ref.key, folder))
        except (FileNotFoundError, NotADirectoryError):
            raise absent from None
        except OSError as error:
            raise _unusable(ref.name, ref.key, f"can't be read: {error.strerror}") from error
        return _not_empty(value, ref)

    def _read_all(self, name: str) -> Mapping[str, str]:
        path = self._folder / name
        absent = AbsentSecretError(_no_secret(name), f"write its entries to files in {path}")
        if not _is_file_name(name):
            raise absent
        try:
            return _in_current(path, lambda folder: _read_folder(name, folder))
        except (FileNotFoundError, NotADirectoryError):
            if path.is_dir():
                raise UnusableSecretError(
                    f"the Secret {name} can't be read: its files are being replaced, or one is a broken link"
                ) from None
            raise absent from None
        except OSError as error:
            raise UnusableSecretError(f"the Secret {name} can't be read: {error.strerror}") from error


class FirstOf:
    """Several sources as one: an entry is taken from the first that has it.

    The entries of a Secret are those of all sources together.
    """

    def __init__(self, sources: Sequence[SecretSource]) -> None:
        self._sources = tuple(sources)

    def read(self, ref: SecretKeyRef) -> str:
        """The entry's value. Raises MissingSecretError, at once where a source has it and can't read it."""
        ways = []
        for source in self._sources:
            try:
                return source.read(ref)
            except AbsentSecretError as error:
                ways.append(error.way)
        raise AbsentSecretError(_no_entry(ref.name, ref.key), _either(ways))

    def entries(self, name: str) -> Mapping[str, str]:
        """All entries of a Secret. Raises MissingSecretError, at once where a source can't read its own."""
        ways, found = [], []
        for source in self._sources:
            try:
                found.append(source.entries(name))
            except AbsentSecretError as error:
                ways.append(error.way)
        if not found:
            raise AbsentSecretError(_no_secret(name), _either(ways))
        return {key: value for entries in reversed(found) for key, value in entries.items()}


class _Cache(Generic[K, V]):
    """Values for a second; failures are not kept."""

    def __init__(self) -> None:
        self._kept: dict[K, tuple[float, V]] = {}

    def get(self, key: K, load: Callable[[], V]) -> V:
        """The value, by ``load`` where it is not there or too old."""
        kept = self._kept.get(key)
        now = time.monotonic()
        if kept is None or now - kept[0] > _CACHE_SECONDS:
            kept = self._kept[key] = (now, load())
        return kept[1]


def _in_current(path: Path, read: Callable[[int], V]) -> V:
    """What ``read`` makes of the folder that holds a Secret's current version. Raises OSError.

    A version that is replaced meanwhile loses its files: what was read of it doesn't count.
    """
    for _ in range(_ATTEMPTS):
        with suppress(FileNotFoundError), _opened(path) as folder:
            found = read(folder)
            with _opened(path) as again:
                if os.path.sameopenfile(folder, again):
                    return found
    raise FileNotFoundError(path)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    try:
        folder = os.open(path / _CURRENT, flags)
    except FileNotFoundError:
        folder = os.open(path, flags)
    try:
        yield folder
    finally:
        os.close(folder)


def _read_folder(name: str, folder: int) -> dict[str, str]:
    return {
        key: _read_text(name, key, folder)
        for key in sorted(os.listdir(folder))
        if _is_file_name(key) and not stat.S_ISDIR(os.stat(key, dir_fd=folder).st_mode)
    }


def _read_text(name: str, key: str, folder: int) -> str:
    """The text of a file in a folder. Raises FileNotFoundError, and UnusableSecretError for other faults."""
    try:
        content = _read_bytes(key, folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _unusable(name, key, f"can't be read: {error.strerror}") from error
    if content is None or len(content) > MAX_BYTES:
        why = "is not a file" if content is None else f"is larger than {MAX_BYTES // 2**20} MiB"
        raise _unusable(name, key, why)
    try:
        return content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:  # whose text would show the value
        raise _unusable(name, key, "is not UTF-8 text") from None


def _read_bytes(key: str, folder: int) -> bytes | None:
    """The content up to one byte more than allowed; None where it is not a file. Raises OSError."""
    descriptor = os.open(key, _READ, dir_fd=folder)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(MAX_BYTES + 1)
    finally:
        os.close(descriptor)


def _not_empty(value: str, ref: SecretKeyRef) -> str:
    if not value:
        raise _unusable(ref.name, ref.key, "is empty")
    return value


def _is_file_name(text: str) -> bool:
    return _FILE_NAME.fullmatch(text) is not None and text != "." and not text.startswith(_HIDDEN)


def _no_entry(name: str, key: str) -> str:
    return f"the Secret {name} has no entry {key}"


def _no_secret(name: str) -> str:
    return f"the Secret {name} is not there"


def _unusable(name: str, key: str, why: str) -> UnusableSecretError:
    return UnusableSecretError(f"the entry {key} of the Secret {name} {why}")


def _either(ways: Sequence[str]) -> str:
    return ", or ".join(way for way in ways if way)
