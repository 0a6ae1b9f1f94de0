"""Where the embedded engine's files are: one folder in use, and while an index is built, another one.

The folder in use is named by a file that is replaced whole, so that a crash leaves the old or the new one.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import orjson

_FIRST = "engine"
_POINTER = "engine.json"


@dataclass(frozen=True, slots=True)
class Built:
    """What the folder in use was last built for: the settings of the index, and how many points."""

    settings: str = ""
    points: int = 0


class EnginePlace:
    """The engine's folders in a collection's folder."""

    def __init__(self, place: Path, name: str, built: Built) -> None:
        self._place = place
        self._name = name
        self.built = built

    @classmethod
    def find(cls, place: Path) -> Self:
        """Read which folder is in use, and remove what an interrupted build left."""
        pointer = place / _POINTER
        name, built = _FIRST, Built()
        if pointer.exists():
            noted = orjson.loads(pointer.read_bytes())
            name, built = noted["folder"], Built(noted["settings"], noted["points"])
        found = cls(place, name, built)
        found.remove_others()
        return found

    @property
    def folder(self) -> Path:
        """The folder in use; it may not exist yet."""
        return self._place / self._name

    def next_folder(self) -> Path:
        """The folder for the next build."""
        number = int(self._name.rpartition("-")[2]) + 1 if self._name != _FIRST else 2
        return self._place / f"{_FIRST}-{number}"

    def switch(self, folder: Path, built: Built) -> None:
        """Put another folder in use, durably."""
        note = {"folder": folder.name, "settings": built.settings, "points": built.points}
        pointer = self._place / _POINTER
        fresh = pointer.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(orjson.dumps(note))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(pointer)
        _sync(self._place)
        self._name = folder.name
        self.built = built

    def remove_others(self) -> None:
        """Remove the folders that aren't in use."""
        for path in self._place.glob(f"{_FIRST}*"):
            if path.is_dir() and path.name != self._name:
                shutil.rmtree(path)

    def size(self) -> int:
        """Bytes on the disk of the folder in use."""
        return sum(path.stat().st_blocks * 512 for path in self.folder.rglob("*") if path.is_file())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
