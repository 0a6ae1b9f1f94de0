"""Looking up the names of services, so that slow answers hold up nothing but their own call."""

from __future__ import annotations

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from aiohttp.abc import AbstractResolver, ResolveResult

_THREADS: Final = 16


class Lookups(AbstractResolver):
    """Looks names up in threads of its own. What nobody waits for any more isn't begun.

    The loop's own lookups can't be taken back: behind a slow DNS server they pile up in its few threads, and
    the program doesn't end before the last of them.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="lookup")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The addresses of a name. Raises OSError."""
        look_up = partial(
            socket.getaddrinfo, host, port, family, socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG
        )
        found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        return [
            ResolveResult(
                hostname=host,
                host=str(address[0]),
                port=int(address[1]),
                family=family_,
                proto=protocol,
                flags=socket.AI_NUMERICHOST | socket.AI_NUMERICSERV,
            )
            for family_, _, protocol, _, address in found
        ]

    async def close(self) -> None:
        """Begin no more; lookups that run end by themselves."""
        self._threads.shutdown(wait=False, cancel_futures=True)
