from __future__ import annotations

import os
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ragfleet_runtime.errors import StartError
from ragfleet_runtime.guard.entries import read_keys
from ragfleet_runtime.guard.generated import generated_keys, key_file, new_key

SECRET = "handbook-api-keys"
ENTRIES = {"default.query", "default.ingest", "default.admin"}


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_key_for_each_role_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    source = generated_keys(tmp_path / "data", SECRET)
    place = tmp_path / "data" / SECRET
    assert mode(place) == 0o700
    assert {path.name: mode(path) for path in place.iterdir()} == dict.fromkeys(ENTRIES, 0o600)
    entries = source.entries(SECRET)
    assert entries.keys() == ENTRIES
    assert len(set(entries.values())) == 3
    assert all(re.fullmatch(r"rf_[A-Za-z0-9_-]{43}", value) for value in entries.values())
    keys = read_keys(entries)
    assert {(key.name, len(key.roles)) for key in keys.taken} == {("default", 1), ("default", 3)}
    assert keys.refused == ()
    assert key_file(tmp_path / "data", SECRET, "admin").read_text().strip() == entries["default.admin"]


def test_keys_survive_a_restart(tmp_path: Path) -> None:
    first = generated_keys(tmp_path, SECRET).entries(SECRET)
    assert generated_keys(tmp_path, SECRET).entries(SECRET) == first


def test_a_key_that_was_taken_away_is_made_anew_at_the_next_start(tmp_path: Path) -> None:
    first = dict(generated_keys(tmp_path, SECRET).entries(SECRET))
    key_file(tmp_path, SECRET, "ingest").unlink()
    second = dict(generated_keys(tmp_path, SECRET).entries(SECRET))
    assert first.pop("default.ingest") != second.pop("default.ingest")
    assert first == second


def test_starts_at_once_agree_on_the_keys(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: dict(generated_keys(tmp_path, SECRET).entries(SECRET)), range(16)))
    assert all(entries == found[0] for entries in found)
    assert {path.name for path in (tmp_path / SECRET).iterdir()} == ENTRIES


def test_a_crash_leaves_no_half_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        generated_keys(tmp_path, SECRET)
    assert list((tmp_path / SECRET).iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / SECRET).write_text("a file")
    with pytest.raises(StartError) as caught:
        generated_keys(tmp_path, SECRET)
    assert str(caught.value) == f"API keys can't be kept in {tmp_path / SECRET}: File exists"


def test_keys_are_random() -> None:
    assert len({new_key() for _ in range(1000)}) == 1000
