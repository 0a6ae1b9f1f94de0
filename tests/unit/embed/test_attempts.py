"""Calls that are tried again, within their time."""

from __future__ import annotations

import asyncio
import time

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.attempts import attempts
from ragfleet_runtime.errors import ProviderError, ProviderFault

pytestmark = pytest.mark.anyio


class Call:
    """Fails as often as it is told to."""

    def __init__(self, *faults: ProviderFault, retry_after: float | None = None, seconds: float = 0) -> None:
        self.faults = list(faults)
        self.retry_after = retry_after
        self.seconds = seconds
        self.made = 0

    async def __call__(self) -> str:
        self.made += 1
        await asyncio.sleep(self.seconds)
        if self.faults:
            raise ProviderError("Somebody", self.faults.pop(0), "failed", retry_after=self.retry_after)
        return "done"


async def run(call: Call, *, retries: int = 2, seconds: float = 5, deadline: float = 30) -> str:
    return await attempts(
        call, provider="Somebody", retries=retries, seconds=seconds, deadline=Deadline(deadline)
    )


@pytest.mark.parametrize("fault", ["rate_limited", "overloaded", "unavailable", "timeout"])
async def test_what_may_pass_is_tried_again(fault: ProviderFault) -> None:
    call = Call(fault)
    assert await run(call) == "done"
    assert call.made == 2


@pytest.mark.parametrize(
    "fault", ["unauthorized", "forbidden", "not_found", "invalid_request", "bad_response"]
)
async def test_what_stays_as_it_is_is_not_tried_again(fault: ProviderFault) -> None:
    call = Call(fault)
    with pytest.raises(ProviderError):
        await run(call)
    assert call.made == 1


async def test_the_last_error_is_raised_after_the_last_try() -> None:
    call = Call("unavailable", "overloaded", "unavailable", retry_after=0.0)
    with pytest.raises(ProviderError) as raised:
        await run(call, retries=1)
    assert raised.value.fault == "overloaded"
    assert call.made == 2


async def test_no_retries_are_none() -> None:
    call = Call("unavailable")
    with pytest.raises(ProviderError):
        await run(call, retries=0)
    assert call.made == 1


async def test_the_pause_that_the_provider_asks_for_is_kept_to() -> None:
    call = Call("rate_limited", retry_after=0.4)
    started = time.monotonic()
    assert await run(call) == "done"
    assert 0.4 <= time.monotonic() - started < 2


async def test_a_pause_beyond_the_deadline_is_not_waited_for() -> None:
    call = Call("rate_limited", retry_after=3)
    started = time.monotonic()
    with pytest.raises(ProviderError) as raised:
        await run(call, deadline=1)
    assert time.monotonic() - started < 0.5
    assert raised.value.fault == "rate_limited"
    assert raised.value.retry_after == 3


async def test_a_try_that_takes_too_long_is_stopped() -> None:
    call = Call(seconds=5)
    with pytest.raises(ProviderError, match=r"no whole answer within 0\.05 s") as raised:
        await run(call, retries=0, seconds=0.05)
    assert raised.value.fault == "timeout"


async def test_tries_end_with_the_deadline() -> None:
    call = Call(seconds=5)
    started = time.monotonic()
    with pytest.raises(ProviderError):
        await run(call, retries=9, seconds=1, deadline=0.2)
    assert time.monotonic() - started < 1
