"""Passes requests on to an API server, unless they meet a fault."""

from __future__ import annotations

import asyncio
from typing import Final

import aiohttp
import orjson
from aiohttp import web
from yarl import URL

from support.fault_proxy_calls import Call
from support.fault_proxy_rules import Answer, Cut, Delay, Expire, Fault, Stall
from support.fault_proxy_streams import Line, Stream

# Of a connection, not of a message (RFC 9110, 7.6.1), and what is computed anew.
_OF_THE_HOP: Final = frozenset(
    {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
)


class Forwarder:
    """Requests to one server. streams: the watches that are open."""

    def __init__(self, server: str, session: aiohttp.ClientSession, line: Line) -> None:
        self.streams: set[Stream] = set()
        self._server = server
        self._session = session
        self._line = line

    async def treat(
        self, request: web.Request, call: Call, body: bytes, fault: Fault | None
    ) -> web.StreamResponse | None:
        """The answer; None where the connection is to be broken off."""
        match fault:
            case Answer():
                headers = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
                return web.json_response(fault.status(), status=fault.code, headers=headers)
            case Cut():
                if fault.forwarded:
                    await asyncio.shield(self._ask(request, body))
                if fault.then is not None:
                    fault.then()
                return None
            case Stall() | Expire() if call.verb == "watch":
                return await self._watch_of_our_own(request, expired=isinstance(fault, Expire))
            case Stall():
                await asyncio.Event().wait()
            case Delay():
                await asyncio.sleep(fault.seconds)
        if call.verb == "watch":
            return await self._watch(request, call)
        # Once begun it is done: whether the client waits for it or has gone.
        code, headers, text = await asyncio.shield(self._ask(request, body))
        if not await self._line.passes():
            return None
        return web.Response(status=code, headers=headers, body=text)

    async def _ask(self, request: web.Request, body: bytes) -> tuple[int, dict[str, str], bytes]:
        async with self._session.request(
            request.method, self._target(request), headers=_kept(request.headers), data=body or None
        ) as answer:
            return answer.status, _kept(answer.headers), await answer.read()

    def _target(self, request: web.Request) -> URL:
        return URL(self._server + request.raw_path, encoded=True)

    async def _watch(self, request: web.Request, call: Call) -> web.StreamResponse | None:
        async with self._session.get(self._target(request), headers=_kept(request.headers)) as upstream:
            answer = web.StreamResponse(status=upstream.status, headers=_kept(upstream.headers))
            await answer.prepare(request)
            stream = Stream(call, request.transport)
            self.streams.add(stream)
            try:
                async for chunk in upstream.content.iter_any():
                    if stream.is_silent:
                        continue
                    if not await self._line.passes():
                        return None
                    await answer.write(chunk)
            finally:
                self.streams.discard(stream)
            if stream.is_silent:
                await asyncio.Event().wait()
            await answer.write_eof()
            return answer

    async def _watch_of_our_own(self, request: web.Request, *, expired: bool) -> web.StreamResponse:
        answer = web.StreamResponse(headers={"Content-Type": "application/json"})
        await answer.prepare(request)
        if not expired:
            await asyncio.Event().wait()
        event = {"type": "ERROR", "object": Answer(410, "too old resource version: 1 (2)").status()}
        await answer.write(orjson.dumps(event) + b"\n")
        await answer.write_eof()
        return answer


def _kept(headers: object) -> dict[str, str]:
    """The headers that pass."""
    items = headers.items()  # type: ignore[attr-defined]
    return {name: value for name, value in items if name.lower() not in _OF_THE_HOP}
