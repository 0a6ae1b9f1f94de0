"""Names are looked up without holding up anything else."""

from __future__ import annotations

import asyncio
import socket
import threading
import time

import pytest

from ragfleet_operator.engine.lookup import Lookups

pytestmark = pytest.mark.anyio


async def test_a_name_is_looked_up() -> None:
    lookups = Lookups()
    found = await lookups.resolve("localhost", 8081, socket.AF_INET)
    assert {(one["host"], one["port"]) for one in found} == {("127.0.0.1", 8081)}
    with pytest.raises(OSError):
        await lookups.resolve("nowhere.invalid", 8081)
    await lookups.close()


async def test_what_nobody_waits_for_is_not_begun_and_the_end_waits_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun: list[str] = []
    answer = threading.Event()

    def slow(host: str, *_: object, **__: object) -> list[object]:
        begun.append(host)
        answer.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", slow)
    lookups = Lookups()
    calls = [asyncio.create_task(lookups.resolve(f"service-{number}", 80)) for number in range(200)]
    await asyncio.wait(calls, timeout=0.2)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    start = time.monotonic()
    await lookups.close()
    assert time.monotonic() - start < 1
    answer.set()
    await asyncio.sleep(0.2)
    assert 0 < len(begun) <= 32
