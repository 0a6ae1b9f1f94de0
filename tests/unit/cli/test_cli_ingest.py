from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ragfleet_cli import upload
from ragfleet_cli.main import main
from ragfleet_cli.walk import SourceFile
from support.fake_service import FakeService, Reply, problem

Captured = pytest.CaptureFixture[str]
LOST = Reply(None)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "docs"
    (folder / "sub").mkdir(parents=True)
    (folder / "a.md").write_text("alpha")
    (folder / "sub" / "b ä.bin").write_bytes(b"\x00\xff\r\n--\r\n\xfe")
    return folder


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries come at once."""
    monkeypatch.setattr("ragfleet_cli.client.Retries.__init__.__defaults__", (3, 0.0, 0.0))


def ingest_json(capsys: Captured, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    code = main(["ingest", "--json", *map(str, arguments)])
    return code, json.loads(capsys.readouterr().out)


def test_files_arrive_whole_with_ids_and_metadata(
    folder: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    os.utime(folder / "a.md", (0, 1_700_000_000))
    pairs = ["--metadata", "team=platform", "--metadata", "year=2024"]
    assert main(["ingest", str(folder), "--url", url, *pairs]) == 0
    first, second = service.uploads
    assert (first.id, first.name, first.content) == ("a.md", "a.md", b"alpha")
    assert first.metadata == {"modified_at": "2023-11-14T22:13:20Z", "team": "platform", "year": 2024}
    assert (second.id, second.name) == ("sub/b ä.bin", "b ä.bin")
    assert second.content == b"\x00\xff\r\n--\r\n\xfe"
    out, err = capsys.readouterr()
    assert out.startswith("2 indexed, 0 unchanged, 0 failed in ")
    assert err == ""


def test_the_url_may_come_from_the_environment(
    folder: Path, url: str, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAGFLEET_URL", url)
    assert main(["ingest", str(folder / "a.md")]) == 0
    assert service.documents == {"a.md": "alpha"}


def test_a_second_time_nothing_has_changed(folder: Path, url: str, capsys: Captured) -> None:
    ingest_json(capsys, folder, "--url", url)
    code, report = ingest_json(capsys, folder, "--url", url)
    assert code == 0
    assert report["seconds"] > 0
    assert report["documents_per_second"] > 0
    del report["seconds"], report["documents_per_second"]
    assert report == {
        "indexed": 0,
        "unchanged": 2,
        "failed": 0,
        "not_confirmed": 0,
        "interrupted": False,
        "failures": [],
    }


def test_failures_are_listed_and_the_exit_code_is_1(folder: Path, url: str, capsys: Captured) -> None:
    (folder / "empty.txt").touch()
    assert main(["ingest", str(folder), "--url", url]) == 1
    out, err = capsys.readouterr()
    assert out.startswith("2 indexed, 0 unchanged, 1 failed in ")
    assert err == "failed: empty.txt: the document is empty\n"
    code, report = ingest_json(capsys, folder, "--url", url)
    assert code == 1
    path = str(folder / "empty.txt")
    assert report["failures"] == [{"id": "empty.txt", "path": path, "error": "the document is empty"}]


def test_files_that_vanish_or_cannot_be_read_fail_and_others_go_on(
    folder: Path, url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken").symlink_to(folder / "nowhere")
    read_bytes = Path.read_bytes

    def vanish(path: Path) -> bytes:
        if path.name == "a.md":
            path.unlink()
        return read_bytes(path)

    monkeypatch.setattr(Path, "read_bytes", vanish)
    code, report = ingest_json(capsys, folder, "--url", url)
    assert code == 1
    assert report["indexed"] == 1
    assert {failure["id"]: failure["error"] for failure in report["failures"]} == {
        "broken": "a link that leads nowhere",
        "a.md": "no such file or directory",
    }


def test_a_document_that_spoils_its_batch_fails_alone(
    tmp_path: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    for number in range(7):
        (tmp_path / f"{number}.txt").write_text("poison" if number == 4 else "food")
    service.refused = "poison"
    code, report = ingest_json(capsys, tmp_path, "--url", url)
    assert code == 1
    assert report["indexed"] == 6
    assert [(failure["id"], failure["error"]) for failure in report["failures"]] == [
        ("4.txt", "a document is not valid (request r1)")
    ]


def test_a_batch_that_is_too_large_together_goes_in_parts(
    tmp_path: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    for number in range(4):
        (tmp_path / f"{number}.txt").write_text("x" * (1000 if number < 3 else 9000))
    service.limit = 3500
    code, report = ingest_json(capsys, tmp_path, "--url", url)
    assert code == 1
    assert report["indexed"] == 3
    assert [failure["id"] for failure in report["failures"]] == ["3.txt"]
    assert "too large" in report["failures"][0]["error"]


def test_a_large_file_is_read_while_it_is_sent(
    tmp_path: Path, url: str, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "BATCH_BYTES", 100)
    monkeypatch.setattr(Path, "read_bytes", None)  # not read whole
    content = bytes(range(256)) * 1000
    (tmp_path / "large.bin").write_bytes(content)
    service.broken["POST /ingest"] = [problem(503, "busy", Retry_After="0")]
    assert main(["ingest", str(tmp_path), "--url", url]) == 0
    (uploaded,) = service.uploads
    assert uploaded.content == content


def test_batches_are_bounded_in_files_and_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload, "BATCH_BYTES", 10)
    monkeypatch.setattr(upload, "BATCH_FILES", 3)
    sizes = [4, 6, 1, 11, 0, 0, 0, 0]
    files = [SourceFile(Path(str(n)), str(n), size) for n, size in enumerate(sizes)]
    made = [[file.size for file in batch] for batch in upload.batches(files)]
    assert made == [[4, 6], [1], [11], [0, 0, 0], [0]]
    assert list(upload.batches([])) == []


@pytest.mark.parametrize("concurrency", [1, 3])
def test_concurrency_is_bounded(
    tmp_path: Path, url: str, service: FakeService, concurrency: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload, "BATCH_FILES", 1)
    for number in range(9):
        (tmp_path / f"{number}.txt").write_text("x")
    service.gate = threading.Event()
    opener = threading.Thread(target=open_once_busy, args=(service, concurrency))
    opener.start()
    assert main(["ingest", str(tmp_path), "--url", url, "--concurrency", str(concurrency)]) == 0
    opener.join()
    assert service.most_busy == concurrency
    assert len(service.documents) == 9


def open_once_busy(service: FakeService, uploads: int) -> None:
    """Let uploads through once there are so many, and no more come for a while."""
    assert service.gate is not None
    wait_for(lambda: service.busy == uploads)
    time.sleep(0.1)
    service.gate.set()


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def test_a_terminal_shows_progress_on_standard_error_alone(
    folder: Path, url: str, service: FakeService
) -> None:
    service.gate = threading.Event()
    ours, theirs = os.openpty()
    command = [sys.executable, "-m", "ragfleet_cli", "ingest", str(folder), "--url", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=theirs, text=True) as process:
        os.close(theirs)
        wait_for(lambda: service.busy == 1)
        shown = b""
        while b"0/2" not in shown:
            shown += os.read(ours, 4096)
        service.gate.set()
        out, _ = process.communicate(timeout=20)
    os.close(ours)
    assert b"Ingesting" in shown
    assert process.returncode == 0
    assert re.fullmatch(r"2 indexed, 0 unchanged, 0 failed in \d+\.\d s \([\d,]+ documents/s\)\n", out)


def test_a_busy_service_is_waited_for(folder: Path, url: str, service: FakeService) -> None:
    service.broken["POST /ingest"] = [problem(429, "busy", Retry_After="0")]
    assert main(["ingest", str(folder), "--url", url]) == 0
    assert len(service.uploads) == 2


def test_a_service_that_is_not_ready_gets_nothing(
    folder: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    service.broken["GET /ready"] = [problem(503, "starting")]
    assert main(["ingest", str(folder), "--url", url]) == 2
    assert capsys.readouterr().err == "ragfleet: the service answered 503: starting (request r1)\n"
    assert service.uploads == []


def test_nothing_to_ingest_is_an_error(tmp_path: Path, url: str, capsys: Captured) -> None:
    assert main(["ingest", str(tmp_path), "--url", url]) == 2
    assert capsys.readouterr().err == f"ragfleet: no files in {tmp_path}\n"


def test_include_and_exclude(folder: Path, url: str, service: FakeService) -> None:
    (folder / "c.md").write_text("x")
    assert main(["ingest", str(folder), "--url", url, "--include", "*.md", "--exclude", "c.*"]) == 0
    assert [uploaded.id for uploaded in service.uploads] == ["a.md"]


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (problem(401, "who are you?"), "the service answered 401: who are you?"),
        (problem(507, "no room left"), "the service answered 507: no room left"),
    ],
)
def test_an_error_that_concerns_everything_ends_it(
    tmp_path: Path, url: str, service: FakeService, capsys: Captured, reply: Reply, message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(upload, "BATCH_FILES", 1)
    for number in range(5):
        (tmp_path / f"{number}.txt").write_text("x")
    service.broken["POST /ingest"] = [Reply(200, {"documents": [{"id": "0", "status": "indexed"}]}), reply]
    assert main(["ingest", str(tmp_path), "--url", url, "--concurrency", "1"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("1 indexed, 0 unchanged, 0 failed, 4 not confirmed in ")
    assert err.startswith(f"ragfleet: {message}")
    assert service.count("POST /ingest") == 2


def test_an_error_may_say_what_became_of_each_document(
    folder: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    outcomes = [{"id": "a.md", "status": "indexed"}, {"id": "b", "status": "failed", "error": "no room"}]
    reply = problem(507, "no room left")
    service.broken["POST /ingest"] = [Reply(507, {**reply.body, "documents": outcomes})]
    code = main(["ingest", str(folder), "--url", url, "--json"])
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert code == 2
    assert (report["indexed"], report["failed"], report["not_confirmed"]) == (1, 1, 0)
    assert err.splitlines() == [
        "failed: sub/b ä.bin: no room",
        "ragfleet: the service answered 507: no room left (request r1)",
    ]


def test_a_service_that_goes_away_ends_it(
    folder: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    service.broken["POST /ingest"] = [LOST] * 9
    service.broken["GET /ready"] = [Reply(200, {}), *[LOST] * 9]
    assert main(["ingest", str(folder), "--url", url]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("0 indexed, 0 unchanged, 0 failed, 2 not confirmed")
    assert "the connection was lost" in err
    assert service.count("POST /ingest") == 3


def test_a_file_whose_upload_is_always_cut_off_fails_alone(
    folder: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    """First both files, then each half: the service is well and only cuts off what it doesn't want."""
    service.broken["POST /ingest"] = [LOST] * 6
    code, report = ingest_json(capsys, folder, "--url", url)
    assert code == 1
    assert report["indexed"] == 1
    assert [failure["id"] for failure in report["failures"]] == ["a.md"]


def test_ctrl_c_ends_it_with_what_was_done(tmp_path: Path, url: str, service: FakeService) -> None:
    for number in range(40):  # two batches, of which the second is not answered
        (tmp_path / f"{number:02}.txt").write_text("x")
    service.gate, service.gate_at = threading.Event(), 32
    command = [
        sys.executable,
        "-m",
        "ragfleet_cli",
        "ingest",
        str(tmp_path),
        "--url",
        url,
        "--concurrency",
        "1",
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        wait_for(lambda: len(service.documents) == 32 and service.busy == 1)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        service.gate.set()
    assert process.returncode == 130
    assert out.startswith("32 indexed, 0 unchanged, 0 failed, 8 not confirmed in ")
    assert err == ""
