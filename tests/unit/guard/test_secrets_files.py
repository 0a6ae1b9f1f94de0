from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime import secrets_files
from ragfleet_runtime.secrets import MissingSecretError
from ragfleet_runtime.secrets_files import MAX_BYTES, DirectorySecrets, FirstOf, GivenSecrets
from support.mounted_secret import mount

LLM = SecretKeyRef(name="llm", key="token")
VALUE = "hunter2-hunter2-hunter2"


@pytest.fixture
def no_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets_files, "_CACHE_SECONDS", -1.0)


def put(folder: Path, content: bytes | str, name: str = "llm", key: str = "token") -> Path:
    path = folder / name / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def told(folder: Path, ref: SecretKeyRef = LLM) -> str:
    with pytest.raises(MissingSecretError) as caught:
        DirectorySecrets(folder).read(ref)
    return str(caught.value)


@pytest.mark.parametrize("content", [VALUE, f"{VALUE}\n", f"  {VALUE}\r\n\t", f"\ufeff{VALUE}\n"])
def test_a_value_is_the_text_of_its_file_without_spaces_at_its_ends(tmp_path: Path, content: str) -> None:
    put(tmp_path, content)
    assert DirectorySecrets(tmp_path).read(LLM) == VALUE


def test_all_entries_of_a_secret(tmp_path: Path) -> None:
    put(tmp_path, "one\n", key="a.query")
    put(tmp_path, "", key="empty")
    put(tmp_path, "{}", key=".dockerconfigjson")
    put(tmp_path, "hidden", key="..hidden")
    put(tmp_path, "a backup of an editor", key="a.query~")
    (tmp_path / "llm" / "folder").mkdir()
    assert DirectorySecrets(tmp_path).entries("llm") == {
        "a.query": "one",
        "empty": "",
        ".dockerconfigjson": "{}",
    }


def test_what_is_missing_is_named_with_the_way_to_give_it(tmp_path: Path) -> None:
    message = f"the Secret llm has no entry token: write it to the file {tmp_path}/llm/token"
    assert told(tmp_path) == message
    put(tmp_path, VALUE, key="other")
    assert told(tmp_path) == message
    assert told(tmp_path / "absent") == message.replace(str(tmp_path), f"{tmp_path}/absent")
    with pytest.raises(MissingSecretError) as caught:
        DirectorySecrets(tmp_path).entries("db")
    assert str(caught.value) == f"the Secret db is not there: write its entries to files in {tmp_path}/db"


@pytest.mark.parametrize("key", ["..", ".", "..data", "..2026"])
def test_hidden_names_are_no_entries(tmp_path: Path, key: str) -> None:
    mount(tmp_path / "llm", {"token": VALUE})
    assert "has no entry" in told(tmp_path, SecretKeyRef.model_construct(name="llm", key=key))


@pytest.mark.parametrize("name", ["..", "a/b", "/etc", ""])
def test_a_secret_is_looked_for_in_the_folder_alone(tmp_path: Path, name: str) -> None:
    put(tmp_path, VALUE)
    with pytest.raises(MissingSecretError, match="is not there"):
        DirectorySecrets(tmp_path / "llm").entries(name)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xff" + VALUE.encode(), "is not UTF-8 text"),
        (b" \n", "is empty"),
        (VALUE.encode() + b" " * MAX_BYTES, "is larger than 1 MiB"),
    ],
)
def test_what_cannot_be_used_is_told_without_the_value(tmp_path: Path, content: bytes, why: str) -> None:
    put(tmp_path, content)
    assert told(tmp_path) == f"the entry token of the Secret llm {why}"


def test_what_is_not_a_file_is_refused_and_nothing_waits_for_it(tmp_path: Path) -> None:
    (tmp_path / "llm").mkdir()
    os.mkfifo(tmp_path / "llm" / "token")
    (tmp_path / "llm" / "folder").mkdir()
    before = len(list(Path("/proc/self/fd").iterdir()))
    assert told(tmp_path) == "the entry token of the Secret llm is not a file"
    assert "is not a file" in told(tmp_path, SecretKeyRef(name="llm", key="folder"))
    with pytest.raises(MissingSecretError, match="token of the Secret llm is not a file"):
        DirectorySecrets(tmp_path).entries("llm")
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("refused", "one", "all_"),
    [
        ("token", "the entry token of the Secret llm can't be read", None),
        ("llm", "the entry token of the Secret llm can't be read", "the Secret llm can't be read"),
    ],
)
def test_what_may_not_be_read(
    tmp_path: Path, refused: str, one: str, all_: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, VALUE)
    really_open = os.open

    def fake_open(path: str | Path, flags: int, *, dir_fd: int | None = None) -> int:
        if Path(path).name == refused:  # the tests may run as root, who may read everything
            raise PermissionError(13, "Permission denied", str(path))
        return really_open(path, flags, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", fake_open)
    assert told(tmp_path) == f"{one}: Permission denied"
    with pytest.raises(MissingSecretError) as caught:
        DirectorySecrets(tmp_path).entries("llm")
    assert str(caught.value) == f"{all_ or one}: Permission denied"


def test_a_file_in_place_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "llm").write_text(VALUE)
    assert "has no entry token" in told(tmp_path)
    with pytest.raises(MissingSecretError, match="the Secret llm is not there"):
        DirectorySecrets(tmp_path).entries("llm")


def test_a_link_that_leads_nowhere(tmp_path: Path) -> None:
    (tmp_path / "llm").mkdir()
    (tmp_path / "llm" / "token").symlink_to("gone")
    assert "has no entry token" in told(tmp_path)
    with pytest.raises(MissingSecretError, match="its files are being replaced, or one is a broken link"):
        DirectorySecrets(tmp_path).entries("llm")


def test_a_version_that_kubernetes_swaps_in_is_seen_within_two_seconds(tmp_path: Path) -> None:
    mount(tmp_path / "llm", {"token": "first", "old": "1"})
    source = DirectorySecrets(tmp_path)
    assert source.read(LLM) == "first"
    assert source.entries("llm") == {"token": "first", "old": "1"}
    mount(tmp_path / "llm", {"token": "second", "new": "2"})
    end = time.monotonic() + 2
    while source.read(LLM) == "first" and time.monotonic() < end:
        time.sleep(0.02)
    assert source.read(LLM) == "second"
    assert source.entries("llm") == {"token": "second", "new": "2"}


def test_between_two_looks_a_file_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(tmp_path, VALUE)
    source = DirectorySecrets(tmp_path)
    assert source.read(LLM) == VALUE
    path.write_text("new")
    assert source.read(LLM) == VALUE
    monkeypatch.setattr(secrets_files, "_CACHE_SECONDS", -1.0)
    assert source.read(LLM) == "new"


def test_what_was_missing_is_found_at_once(tmp_path: Path) -> None:
    source = DirectorySecrets(tmp_path)
    with pytest.raises(MissingSecretError):
        source.read(LLM)
    put(tmp_path, VALUE)
    assert source.read(LLM) == VALUE


@pytest.mark.usefixtures("no_cache")
def test_entries_come_from_one_version_whenever_it_is_swapped(tmp_path: Path) -> None:
    names = [f"entry{n}" for n in range(20)]
    mount(tmp_path / "llm", dict.fromkeys(names, "0"))
    source = DirectorySecrets(tmp_path)
    stop = threading.Event()

    def swap() -> None:
        version = 0
        while not stop.is_set():
            version += 1
            mount(tmp_path / "llm", dict.fromkeys(names, str(version)))
            time.sleep(0.001)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        seen = set()
        for _ in range(300):
            entries = source.entries("llm")
            assert list(entries) == sorted(names)
            (version,) = set(entries.values())
            seen.add(version)
            source.read(SecretKeyRef(name="llm", key="entry0"))
    finally:
        stop.set()
        thread.join()
    assert len(seen) > 1


def test_given_secrets() -> None:
    source = GivenSecrets({"llm": {"token": f" {VALUE}\n", "blank": " "}}, way="set it")
    assert source.read(LLM) == VALUE
    assert source.entries("llm") == {"token": VALUE, "blank": ""}
    with pytest.raises(MissingSecretError, match=r"^the Secret llm has no entry key: set it$"):
        source.read(SecretKeyRef(name="llm", key="key"))
    with pytest.raises(MissingSecretError, match=r"^the Secret db has no entry key: set it$"):
        source.read(SecretKeyRef(name="db", key="key"))
    with pytest.raises(MissingSecretError, match=r"^the Secret db is not there: set it$"):
        source.entries("db")
    with pytest.raises(MissingSecretError, match=r"^the entry blank of the Secret llm is empty$"):
        source.read(SecretKeyRef(name="llm", key="blank"))


def test_the_first_source_that_has_an_entry_gives_it(tmp_path: Path) -> None:
    put(tmp_path, "from the folder")
    put(tmp_path, "one", key="one")
    first = GivenSecrets({"llm": {"token": "given", "two": "2"}})
    source = FirstOf([GivenSecrets({}), first, DirectorySecrets(tmp_path)])
    assert source.read(LLM) == "given"
    assert source.read(SecretKeyRef(name="llm", key="one")) == "one"
    assert source.entries("llm") == {"token": "given", "two": "2", "one": "one"}


def test_what_no_source_has_is_told_with_every_way_to_give_it(tmp_path: Path) -> None:
    source = FirstOf([GivenSecrets({}, way="set it"), GivenSecrets({}), DirectorySecrets(tmp_path)])
    with pytest.raises(MissingSecretError) as caught:
        source.read(LLM)
    way = f"set it, or write it to the file {tmp_path}/llm/token"
    assert str(caught.value) == f"the Secret llm has no entry token: {way}"
    with pytest.raises(MissingSecretError, match="the Secret llm is not there: set it, or write its entries"):
        source.entries("llm")
    with pytest.raises(MissingSecretError, match=r"^the Secret llm has no entry token$"):
        FirstOf([]).read(LLM)


def test_no_source_stands_in_for_one_that_has_an_entry_and_cannot_read_it(tmp_path: Path) -> None:
    put(tmp_path, b"\xff")
    source = FirstOf([DirectorySecrets(tmp_path), GivenSecrets({"llm": {"token": VALUE}})])
    with pytest.raises(MissingSecretError, match="is not UTF-8 text"):
        source.read(LLM)
    with pytest.raises(MissingSecretError, match="is not UTF-8 text"):
        source.entries("llm")


def test_no_representation_shows_a_value(tmp_path: Path) -> None:
    put(tmp_path, VALUE)
    folder = DirectorySecrets(tmp_path)
    folder.read(LLM)
    given = GivenSecrets({"llm": {"token": VALUE}})
    assert not any(VALUE in repr(source) for source in (folder, given, FirstOf([given, folder])))
