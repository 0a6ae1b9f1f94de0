"""A load generator that costs little itself: keep-alive connections, requests made beforehand."""

from __future__ import annotations

import asyncio
import itertools
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What a load did."""

    requests: int
    seconds: float
    latencies: Sequence[float]

    @property
    def rate(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    def percentile(self, share: float) -> float:
        """A latency in seconds."""
        ranked = sorted(self.latencies)
        return ranked[min(len(ranked) - 1, int(share * len(ranked)))]


def post(url: str, body: object) -> bytes:
    """A POST request of JSON, as the bytes that go over the wire."""
    parts = urlsplit(url)
    data = json.dumps(body).encode()
    head = (
        f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


async def drive(url: str, requests: Sequence[bytes], *, clients: int, count: int) -> Load:
    """Send ``count`` requests over ``clients`` connections, each waiting for its answer."""
    supply = itertools.islice(itertools.cycle(requests), count)
    latencies: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(*(_client(url, supply, latencies) for _ in range(clients)))
    return Load(count, time.perf_counter() - start, latencies)


async def _client(url: str, supply: Iterator[bytes], latencies: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port, limit=2**22)
    try:
        for request in supply:
            start = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status, length = _head(head)
            body = await reader.readexactly(length)
            if status != b"200":
                raise RuntimeError(f"{status.decode()}: {body[:300].decode(errors='replace')}")
            latencies.append(time.perf_counter() - start)
    finally:
        writer.close()


def _head(head: bytes) -> tuple[bytes, int]:
    lines = head.split(b"\r\n")
    for line in lines[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return lines[0].split()[1], int(value)
    raise RuntimeError("a reply without Content-Length")
