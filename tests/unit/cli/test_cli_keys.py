"""Keys that commands present: from a file or a variable, and never shown."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragfleet_cli.access import Target, target
from ragfleet_cli.errors import CliError
from ragfleet_cli.main import main
from support.keyed_service import KeyedService, serve_keyed

Captured = pytest.CaptureFixture[str]
KEY = "right-key-0123456789"
HOW = "; give the key in RAGFLEET_API_KEY, or its file with --api-key-file"
_REFUSED = "the service answered 401:"


@pytest.fixture
def keyed() -> KeyedService:
    return KeyedService(KEY)


@pytest.fixture
def keyed_url(keyed: KeyedService) -> Iterator[str]:
    with serve_keyed(keyed) as url:
        yield url


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "default.query"
    path.write_text(f"{KEY}\n")
    return path


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    (folder / "qrels").mkdir(parents=True)
    (folder / "corpus.jsonl").write_text(json.dumps({"_id": "d1", "text": "fox"}))
    (folder / "queries.jsonl").write_text(json.dumps({"_id": "q1", "text": "fox"}))
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq1\td1\t1\n")
    return folder


def test_a_key_is_the_word_in_its_file_or_in_the_variable(
    key_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert target("http://x", None) == Target("http://x", None)
    monkeypatch.setenv("RAGFLEET_API_KEY", " ")
    assert target("http://x", None) == Target("http://x", None)
    monkeypatch.setenv("RAGFLEET_API_KEY", f"{KEY}2\n")
    assert target("http://x", None) == Target("http://x", f"{KEY}2")
    assert target("http://x", key_file) == Target("http://x", KEY)
    assert KEY not in repr(target("http://x", key_file))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b" \n", "there is nothing in it; it must hold an API key"),
        (b"two words", "holds no API key, which is one word of letters, digits and signs"),
        ("schl\u00fcssel".encode(), "holds no API key, which is one word of letters, digits and signs"),
        (b"k" * 5000, "holds no API key, which is one word of letters, digits and signs"),
        (b"one\ntwo", "holds no API key, which is one word of letters, digits and signs"),
    ],
)
def test_a_file_without_a_key_is_told_and_not_shown(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    with pytest.raises(CliError) as caught:
        target("http://x", path)
    assert str(caught.value) == f"--api-key-file {path}: {why}"


def test_a_variable_that_holds_no_key_is_told_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGFLEET_API_KEY", "se cret")
    with pytest.raises(CliError, match=r"^RAGFLEET_API_KEY: holds no API key") as caught:
        target("http://x", None)
    assert "cret" not in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="absent: no such file or directory"):
        target("http://x", tmp_path / "absent")


@pytest.mark.parametrize("by_file", [True, False])
@pytest.mark.parametrize("command", ["ask", "search", "ingest", "evaluate"])
def test_every_command_presents_the_key(
    command: str,
    by_file: bool,
    keyed: KeyedService,
    keyed_url: str,
    key_file: Path,
    dataset: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Captured,
) -> None:
    arguments = {
        "ask": ["fox", "--stream"],
        "search": ["fox"],
        "ingest": [str(key_file)],
        "evaluate": ["--dataset", str(dataset)],
    }
    call = [command, *arguments[command], "--url", keyed_url]
    assert main(call) == 2
    err = capsys.readouterr().err
    assert f"{_REFUSED} there is no API key in the headers (request r1){HOW}" in err
    if by_file:
        call += ["--api-key-file", str(key_file)]
    else:
        monkeypatch.setenv("RAGFLEET_API_KEY", KEY)
    main(call)
    out, err = capsys.readouterr()
    assert _REFUSED not in err
    assert KEY not in out + err


def test_a_wrong_key_and_a_missing_role_are_one_line_each(
    keyed: KeyedService, keyed_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("RAGFLEET_API_KEY", "wrong-key-0123456789")
    assert main(["search", "fox", "--url", keyed_url]) == 2
    message = "the service answered 401: the API key is not one of this service (request r1)"
    assert capsys.readouterr().err == f"ragfleet: {message}{HOW}\n"
    monkeypatch.setenv("RAGFLEET_API_KEY", KEY)
    keyed.role_fault = "this needs a key with the role ingest; the key a has query"
    assert main(["search", "fox", "--url", keyed_url]) == 2
    message = "the service answered 403: this needs a key with the role ingest; the key a has query"
    assert capsys.readouterr().err == f"ragfleet: {message} (request r1)\n"


def test_search_passes_the_mode_and_says_when_it_was_degraded(
    keyed: KeyedService, keyed_url: str, monkeypatch: pytest.MonkeyPatch, capsys: Captured
) -> None:
    monkeypatch.setenv("RAGFLEET_API_KEY", KEY)
    assert main(["search", "fox", "--url", keyed_url, "--mode", "dense"]) == 0
    assert keyed.requests[-1][2] == {"query": "fox", "top_k": 10, "group_by_document": False, "mode": "dense"}
    assert capsys.readouterr().err == "ragfleet: degraded: the model doesn't answer\n"
    assert main(["search", "fox", "--url", keyed_url, "--mode", "fast"]) == 2
    assert "Invalid value for '--mode'" in capsys.readouterr().err


def test_a_key_on_the_command_line_is_no_option(keyed_url: str, capsys: Captured) -> None:
    assert main(["search", "fox", "--url", keyed_url, "--api-key", KEY]) == 2
    assert "No such option: --api-key" in capsys.readouterr().err
