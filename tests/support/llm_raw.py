"""A server that answers with bytes, for what no server would send on purpose."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

# A moment, so that what was sent before is read before the connection ends.
_PAUSE = 0.03


def chunk(data: bytes) -> bytes:
    """A chunk of a body (RFC 9112, 7.1)."""
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def raw_server(sent: bytes, *, resets: bool = False, stays: bool = False) -> AsyncIterator[str]:
    """Its address. It answers a connection's first request with ``sent``, and then closes it.

    resets: it doesn't close the connection in order. stays: not before its client does.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0]))
        writer.write(sent)
        await writer.drain()
        await asyncio.sleep(_PAUSE)
        if resets:
            linger = struct.pack("ii", 1, 0)
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        if stays:
            await reader.read()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listener:
        yield f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
