"""Replies as server-sent events, and work that ends when its client goes away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Coroutine
from contextlib import aclosing
from typing import Any, TypeVar

import orjson
from fastapi import Response
from starlette.types import Receive, Scope, Send

R = TypeVar("R")

MEDIA_TYPE = "text/event-stream"
# Nothing between the service and its client may keep an event back.
_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


def event(name: str, data: Any) -> bytes:
    """An event (HTML Living Standard, 9.2). ``data`` is sent as JSON, which has no line ends."""
    return b"event: " + name.encode() + b"\ndata: " + orjson.dumps(data) + b"\n\n"


class EventStream(Response):
    """Sends each event as soon as it is there; stops what makes them when the client goes away.

    Events that are there at once leave in one write: with 32 streams, writing takes most of the time, and a
    service that lags behind its models' servers catches up so.
    """

    media_type = MEDIA_TYPE

    def __init__(self, events: AsyncGenerator[bytes, None]) -> None:
        super().__init__(headers=_HEADERS)
        del self.headers["Content-Length"]
        self._events = events
        self._ready: list[bytes] = []
        self._wake = asyncio.Event()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the reply."""
        await unless_gone(receive, self._serve(send))

    async def _serve(self, send: Send) -> None:
        reading = asyncio.ensure_future(self._read())
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            while not (reading.done() and not self._ready):
                await self._wake.wait()
                self._wake.clear()
                body = b"".join(self._ready)
                self._ready.clear()
                if body:
                    await send({"type": "http.response.body", "body": body, "more_body": True})
            await reading  # what it raised
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    async def _read(self) -> None:
        try:
            async with aclosing(self._events) as events:
                async for one in events:
                    self._ready.append(one)
                    self._wake.set()
        finally:
            asyncio.get_running_loop().call_soon(self._wake.set)  # when the task is done


async def unless_gone(receive: Receive, work: Coroutine[Any, Any, R]) -> R | None:
    """The result of the work; None where the client went away first, upon which it is cancelled.

    receive: the request's, of which the body has been read.
    """
    working = asyncio.ensure_future(work)
    watching = asyncio.ensure_future(_disconnect(receive))
    try:
        await asyncio.wait((working, watching), return_when=asyncio.FIRST_COMPLETED)
        return working.result() if working.done() else None
    finally:
        working.cancel()
        watching.cancel()
        await asyncio.gather(working, watching, return_exceptions=True)


async def _disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
