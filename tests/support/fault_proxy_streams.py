"""What is between a proxy and its server: a line that can be cut, and the watches that are open on it."""

from __future__ import annotations

import asyncio

from support.fault_proxy_calls import Call


class Line:
    """Whether anything passes. Only the loop of the proxy calls it."""

    def __init__(self) -> None:
        self._is_open = True
        self._hangs = False
        self._opened = asyncio.Event()

    def part(self, *, hangs: bool) -> None:
        """Let nothing pass. hangs: what comes waits for the line; else it is lost."""
        self._is_open = False
        self._hangs = hangs
        self._opened.clear()

    def join(self) -> None:
        """Let everything pass."""
        self._is_open = True
        self._opened.set()

    async def passes(self) -> bool:
        """Whether what comes now passes, perhaps later."""
        while not self._is_open:
            if not self._hangs:
                return False
            await self._opened.wait()
        return True


class Stream:
    """A watch that is open. is_silent: what it tells is dropped."""

    def __init__(self, call: Call, transport: asyncio.Transport | None) -> None:
        self.call = call
        self.is_silent = False
        self._transport = transport

    def abort(self) -> None:
        """Break the connection off."""
        if self._transport is not None:
            self._transport.abort()
