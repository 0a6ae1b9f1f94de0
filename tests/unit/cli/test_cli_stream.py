"""``ragfleet ask --stream``: the answer as it comes."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from ragfleet_cli import events
from ragfleet_cli.errors import CliError
from ragfleet_cli.events import Event, read_events
from ragfleet_cli.main import main
from support.keyed_service import KeyedService, Write, event, serve_keyed

Captured = pytest.CaptureFixture[str]
SOURCE = {
    "n": 1,
    "document_id": "backup.md",
    "title": "Backups",
    "text": "text",
    "score": 1.5,
    "metadata": {},
    "start": 10,
    "end": 15,
}
SOURCES = event("sources", {"sources": [SOURCE, {**SOURCE, "n": 2}]})
REST = {"citations": [{"n": 1, "answer_start": 0, "answer_end": 5}], "confidence": 0.82, "degraded": []}
FOREIGN = "the service sent an event that is not one of Ragfleet's; check --url"
DONE = event("done", REST)


def content(text: str) -> bytes:
    return event("content", {"content": text})


@pytest.fixture
def keyed() -> KeyedService:
    return KeyedService()


@pytest.fixture
def keyed_url(keyed: KeyedService, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("RAGFLEET_API_KEY", keyed.key)
    with serve_keyed(keyed) as url:
        yield url


def script(*pieces: bytes) -> Any:
    def write_all(write: Write) -> None:
        for piece in pieces:
            write(piece)

    return write_all


def test_the_whole_answer(keyed: KeyedService, keyed_url: str, capsys: Captured) -> None:
    keyed.script = script(SOURCES, content("Restore it. "), content("[1]\n"), content("Go\x1b[31m on."), DONE)
    assert main(["ask", "how?", "--stream", "--top-k", "4", "--url", keyed_url]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "Restore it. [1]",
        "Go\N{REPLACEMENT CHARACTER}[31m on.",
        "",
        "Sources",
        "  [1] Backups (backup.md): characters 10-15",
        "",
        "Confidence 0.82",
    ]
    assert err == ""
    assert keyed.requests == [("POST", "/query/stream", {"query": "how?", "top_k": 4})]


def test_what_has_come_is_shown_before_the_rest_is_made(keyed: KeyedService, keyed_url: str) -> None:
    go_on = threading.Event()

    def slowly(write: Write) -> None:
        write(SOURCES + content("First. "))
        assert go_on.wait(30)
        write(content("Second.") + DONE)

    keyed.script = slowly
    command = [sys.executable, "-m", "ragfleet_cli", "ask", "how?", "--stream", "--url", keyed_url]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            shown = b""
            while shown != b"First. ":
                piece = os.read(process.stdout.fileno(), 100)
                assert piece
                shown += piece
        finally:
            go_on.set()
        assert process.stdout.read().startswith(b"Second.\n")
        assert process.wait(30) == 0


def test_a_degraded_answer_says_so(keyed: KeyedService, keyed_url: str, capsys: Captured) -> None:
    keyed.script = script(
        SOURCES, content("Text."), event("done", {**REST, "degraded": ["a fallback answered"]})
    )
    assert main(["ask", "how?", "--stream", "--url", keyed_url]) == 0
    assert capsys.readouterr().err == "ragfleet: degraded: a fallback answered\n"


@pytest.mark.parametrize(
    ("pieces", "out", "message"),
    [
        (
            [SOURCES, content("Half an "), event("error", {"detail": "the model broke off", "status": 502})],
            "Half an \n",
            "the answer broke off: the model broke off",
        ),
        ([event("error", {})], "", "the answer broke off: the service didn't say why"),
        (
            [SOURCES, content("Half an ")],
            "Half an \n",
            "the connection ended before the answer did; ask again",
        ),
        ([SOURCES, DONE[:-1]], "", "the connection ended before the answer did; ask again"),
        ([b"data: {\n\n"], "", FOREIGN),
        ([event("content", {"content": 5})], "", FOREIGN),
        ([event("sources", {"sources": [5]})], "", FOREIGN),
        ([SOURCES, event("done", {"confidence": 1})], "", FOREIGN),
    ],
)
def test_an_answer_that_breaks_off(
    pieces: list[bytes], out: str, message: str, keyed: KeyedService, keyed_url: str, capsys: Captured
) -> None:
    keyed.script = script(*pieces)
    assert main(["ask", "how?", "--stream", "--url", keyed_url]) == 2
    assert capsys.readouterr() == (out, f"ragfleet: {message}\n")


def test_a_connection_that_is_lost(keyed: KeyedService, keyed_url: str, capsys: Captured) -> None:
    keyed.script = script(content("Half an "))
    keyed.promised_bytes = 10_000
    assert main(["ask", "how?", "--stream", "--url", keyed_url]) == 2
    out, err = capsys.readouterr()
    assert out == "Half an \n"
    assert err.startswith(f"ragfleet: {keyed_url}: the connection was lost (")


def test_stream_and_json_do_not_go_together(capsys: Captured) -> None:
    assert main(["ask", "how?", "--stream", "--json"]) == 2
    assert "choose one" in capsys.readouterr().err


async def _collect(chunks: list[bytes]) -> list[Event]:
    async def source() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    return [found async for found in read_events(source())]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
def test_events_are_the_same_however_they_are_cut(size: int) -> None:
    text = (
        ': a comment\n\nevent: content\r\ndata: {"content": "käse 日本"}\r\n\r\n'
        'data:{"a":\ndata: 1}\nid: 5\nretry: 3\n\nevent: nothing\n\nevent: done\ndata: {}\n\n'
        "event: cut\ndata: {}\n"
    ).encode()
    found = asyncio.run(_collect([text[start : start + size] for start in range(0, len(text), size)]))
    assert found == [Event("content", {"content": "käse 日本"}), Event("", {"a": 1}), Event("done", {})]


def test_an_event_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_EVENT_BYTES", 100)
    with pytest.raises(CliError, match="an event of more than"):
        asyncio.run(_collect([b"data: " + b"x" * 60] * 3))
