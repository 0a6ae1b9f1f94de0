"""Finding the files to ingest, and their document ids."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from ragfleet_cli.errors import CliError


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file to ingest. ``size`` is in bytes, as it was when found."""

    path: Path
    id: str
    size: int


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that was found and can't be read."""

    path: Path
    id: str
    reason: str


@dataclass(slots=True)
class Found:
    """What a walk found, in order of path and name."""

    files: list[SourceFile] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)

    def add(self, item: SourceFile | Unreadable) -> None:
        """Put the item where it belongs."""
        if isinstance(item, SourceFile):
            self.files.append(item)
        else:
            self.unreadable.append(item)


@dataclass(frozen=True, slots=True)
class Selection:
    """Globs over a file's name and its path in the folder; ``*`` matches slashes too.

    A file is taken if it matches an ``include`` (or there is none) and neither it nor a folder above it
    matches an ``exclude``.
    """

    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    def takes(self, id_: str) -> bool:
        """Whether the file is included; folders above it have been checked."""
        return not self.excludes(id_) and (not self.include or _matches(id_, self.include))

    def excludes(self, id_: str) -> bool:
        """Whether the file or folder itself matches an ``exclude``."""
        return _matches(id_, self.exclude)


def _matches(id_: str, globs: Sequence[str]) -> bool:
    name = id_.rpartition("/")[2]
    return any(fnmatchcase(id_, glob) or fnmatchcase(name, glob) for glob in globs)


def discover(paths: Sequence[Path], selection: Selection) -> Found:
    """The files that the paths name, and those in the folders that they name.

    A file's id is its path in the folder, with slashes; that of a file named by itself is its name, and the
    selection doesn't apply to it. In folders, hidden entries and what isn't a regular file are passed over,
    and every folder is entered once, however many links lead to it.
    Raises CliError for a path that doesn't exist, and where two files would have one id.
    """
    found = Found()
    owners: dict[str, Path] = {}
    for path in paths:
        for item in _items(path, selection):
            owner = owners.get(item.id)
            if owner is None:
                owners[item.id] = item.path
                found.add(item)
            elif not _same_file(owner, item.path):
                raise CliError(
                    f"{owner} and {item.path} would both be the document {item.id!r}; "
                    "name the folder that holds both, or ingest them one at a time"
                )
    return found


def _items(path: Path, selection: Selection) -> Iterator[SourceFile | Unreadable]:
    try:
        status = path.stat()
    except OSError as error:
        raise CliError(f"{path}: {_reason(error)}") from error
    if stat.S_ISDIR(status.st_mode):
        yield from _Walk(selection).folder(path, "")
    elif stat.S_ISREG(status.st_mode):
        yield _file(path, path.name, status.st_size)
    else:
        raise CliError(f"{path}: neither a file nor a folder")


def _file(path: Path, id_: str, size: int) -> SourceFile | Unreadable:
    try:
        id_.encode()
    except UnicodeEncodeError:
        return Unreadable(path, id_, "its name is not UTF-8; rename it")
    return SourceFile(path, id_, size)


class _Walk:
    """One walk from one folder. Links to folders come last: what they lead to may have a path of its own."""

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._entered: set[tuple[int, int]] = set()
        self._links: list[tuple[Path, str]] = []

    def folder(self, path: Path, id_: str) -> Iterator[SourceFile | Unreadable]:
        yield from self._enter(path, id_)
        while self._links:
            yield from self._enter(*self._links.pop(0))

    def _enter(self, path: Path, id_: str) -> Iterator[SourceFile | Unreadable]:
        try:
            status = path.stat()
            if (status.st_dev, status.st_ino) in self._entered:
                return
            self._entered.add((status.st_dev, status.st_ino))
            with os.scandir(path) as entries:
                inside = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            yield Unreadable(path, id_ or str(path), _reason(error))
            return
        for entry in inside:
            if not entry.name.startswith("."):
                yield from self._entry(entry, f"{id_}/{entry.name}" if id_ else entry.name)

    def _entry(self, entry: os.DirEntry[str], id_: str) -> Iterator[SourceFile | Unreadable]:
        path = Path(entry.path)
        try:
            if entry.is_dir():
                if self._selection.excludes(id_):
                    return
                if entry.is_symlink():
                    self._links.append((path, id_))
                else:
                    yield from self._enter(path, id_)
            elif not self._selection.takes(id_):
                return
            elif entry.is_file():
                yield _file(path, id_, entry.stat().st_size)
            elif entry.is_symlink() and not path.exists():
                yield Unreadable(path, id_, "a link that leads nowhere")
        except OSError as error:
            yield Unreadable(path, id_, _reason(error))


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()
