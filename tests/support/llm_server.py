"""A model server for tests: OpenAI's chat API and Anthropic's Messages API, with scripted faults.

It speaks HTTP/1.1 by hand, since what it must do (headers that come late, a body that breaks off, a
connection that closes in the middle) is what server libraries prevent. What it sends when nothing goes wrong
is held to the models of both client libraries by ``tests/unit/generate/test_llm_server.py``.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from support.llm_wire import Wire, anthropic_wire, openai_wire

PIECES = ("Keys are", " issued at", " the service", " desk. [1]")


@dataclass(frozen=True)
class Script:
    """What the server does with a request; times in seconds.

    status, error, headers: an error instead of an answer; ``error`` is the provider's message, or the whole
    body where it starts with "{" or "<". before_headers, before_first, between: how long it waits.
    finish: why the model stopped, in the API's own words. closes_after: the connection closes after so many
    pieces. stalls_after: nothing more comes after so many. garbage_after: something that isn't JSON comes.
    fails_after: an error comes within the stream. endless: the pieces come again and again. stamped: each
    piece is the time at which it is sent, on ``time.monotonic``. ends_without: what is left out at the end.
    """

    pieces: Sequence[str] = PIECES
    status: int = 200
    error: str = "scripted"
    headers: Mapping[str, str] = field(default_factory=dict)
    before_headers: float = 0.0
    before_first: float = 0.0
    between: float = 0.0
    finish: str | None = None
    thinking: Sequence[str] = ()
    closes_after: int | None = None
    stalls_after: int | None = None
    garbage_after: int | None = None
    fails_after: int | None = None
    endless: bool = False
    stamped: bool = False
    ends_without: Literal["", "usage", "finish", "done", "finish and done"] = ""
    refuses_stream_options: bool = False


@dataclass
class Recorded:
    """A request that came. ``gone_at`` is when its client went away before the end, on ``time.monotonic``."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    first_sent_at: float | None = None
    gone_at: float | None = None
    is_done: bool = False


class LLMServer:
    """The running server. ``scripts`` are by model: the first is used up, the last one stays.

    connections: how many were made until now.
    """

    def __init__(self) -> None:
        self.scripts: dict[str, list[Script]] = {}
        self.requests: list[Recorded] = []
        self.connections = 0
        self.scheme = "http"
        self.port = 0

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"{self.scheme}://127.0.0.1:{self.port}"

    def script(self, model: str, *scripts: Script) -> None:
        """Say what happens to the requests for a model, one after the other."""
        self.scripts[model] = list(scripts)

    def asked(self, model: str) -> list[Recorded]:
        """The requests for a model, in their order."""
        return [request for request in self.requests if request.body.get("model") == model]

    def _next(self, model: str) -> Script:
        scripts = self.scripts.get(model) or [Script()]
        return scripts.pop(0) if len(scripts) > 1 else scripts[0]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        self.connections += 1
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            while await self._answer_one(reader, writer):
                pass
        writer.close()

    async def _answer_one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        path = head[0].split(" ")[1]
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        body = json.loads(await reader.readexactly(int(headers.get("content-length", "0"))))
        recorded = Recorded(path, headers, body)
        self.requests.append(recorded)
        answering = asyncio.ensure_future(self._answer(recorded, self._next(body["model"]), writer))
        # The client sends nothing before it has the whole answer: what can be read is that it went away.
        watching = asyncio.ensure_future(_until_gone(reader))
        await asyncio.wait({answering, watching}, return_when=asyncio.FIRST_COMPLETED)
        if not answering.done():
            recorded.gone_at = time.monotonic()
            answering.cancel()
        watching.cancel()
        results = await asyncio.gather(answering, watching, return_exceptions=True)
        if isinstance(results[0], ConnectionError):
            recorded.gone_at = time.monotonic()
        recorded.is_done = results[0] is True
        return recorded.is_done

    async def _answer(self, recorded: Recorded, script: Script, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection can go on."""
        wire = anthropic_wire() if recorded.path.endswith("/messages") else openai_wire()
        if script.before_headers:
            await asyncio.sleep(script.before_headers)
        if script.refuses_stream_options and "stream_options" in recorded.body:
            script = Script(status=400, error="Unrecognized request argument supplied: stream_options")
        if script.status != 200:
            await _send_whole(writer, script.status, wire.error(script.status, script.error), script.headers)
            return True
        if not recorded.body.get("stream"):
            whole = wire.whole(recorded.body["model"], script.pieces, script.finish)
            await _send_whole(writer, 200, whole, script.headers)
            return True
        writer.write(_head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}))
        return await self._stream(recorded, script, wire, writer)

    async def _stream(
        self, recorded: Recorded, script: Script, wire: Wire, writer: asyncio.StreamWriter
    ) -> bool:
        model = recorded.body["model"]
        await _send(writer, wire.start(model))
        await asyncio.sleep(script.before_first)
        for piece in script.thinking:
            await _send(writer, wire.thinking(model, piece))
        sent = 0
        while script.endless or sent < len(script.pieces):
            if not await _goes_on(script, sent, wire, writer):
                return False
            if sent:
                await asyncio.sleep(script.between)
            piece = f"{time.monotonic()} " if script.stamped else script.pieces[sent % len(script.pieces)]
            await _send(writer, wire.content(model, piece))
            recorded.first_sent_at = recorded.first_sent_at or time.monotonic()
            sent += 1
        if not await _goes_on(script, sent, wire, writer):
            return False
        for event in wire.end(model, script.finish, sent, asked=recorded.body, without=script.ends_without):
            await _send(writer, event)
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        return True


async def _goes_on(script: Script, sent: int, wire: Wire, writer: asyncio.StreamWriter) -> bool:
    """Do what is scripted after so many pieces; False where the connection is to close."""
    if sent == script.stalls_after:
        await asyncio.Event().wait()
    if sent == script.garbage_after:
        await _send(writer, b'data: {"choices": [\n\n')
        return False
    if sent == script.fails_after:
        await _send(writer, wire.failure(script.error))
        return False
    return sent != script.closes_after


async def _until_gone(reader: asyncio.StreamReader) -> None:
    with suppress(ConnectionError):
        if await reader.read(1):
            raise AssertionError("the client sent another request before it had its answer")


def _head(status: int, headers: Mapping[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} Scripted", *(f"{name}: {value}" for name, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


async def _send(writer: asyncio.StreamWriter, event: bytes) -> None:
    writer.write(b"%x\r\n%b\r\n" % (len(event), event))
    await writer.drain()


async def _send_whole(
    writer: asyncio.StreamWriter, status: int, body: bytes, headers: Mapping[str, str]
) -> None:
    kind = "text/html" if body.startswith(b"<") else "application/json"
    head = _head(status, {"Content-Type": kind, "Content-Length": str(len(body)), **headers})
    writer.write(head + body)
    await writer.drain()


@asynccontextmanager
async def llm_server(tls: ssl.SSLContext | None = None) -> AsyncIterator[LLMServer]:
    """A server until the block ends; it runs on the loop of the caller."""
    server = LLMServer()
    server.scheme = "https" if tls else "http"
    connections: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections.add(task)
        try:
            await server.serve(reader, writer)
        except asyncio.CancelledError:
            writer.transport.abort()
        finally:
            connections.discard(task)

    listener = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=tls, backlog=512)
    server.port = listener.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listener.close()
        for task in list(connections):
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
