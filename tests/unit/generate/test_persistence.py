from __future__ import annotations

import time

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError, ProviderFault
from ragfleet_runtime.generate.chat import Ended, Reply, persistent
from ragfleet_runtime.generate.model import Usage

pytestmark = pytest.mark.anyio


class Asked:
    """A model that fails in turn, and then answers."""

    def __init__(
        self, *faults: ProviderFault, retry_after: float | None = None, text_first: bool = False
    ) -> None:
        self.faults = list(faults)
        self.retry_after = retry_after
        self.text_first = text_first
        self.times: list[float] = []

    async def reply(self) -> Reply:
        self.times.append(time.monotonic())
        if self.text_first:
            yield "x"
        if self.faults:
            raise ProviderError("a", self.faults.pop(0), "no", retry_after=self.retry_after)
        yield "y"
        yield Ended("m", Usage())

    async def all(self, seconds: float = 10.0, *, has_fallback: bool = False) -> list[str | Ended]:
        deadline = Deadline(seconds)
        return [item async for item in persistent(self.reply, deadline, has_fallback=has_fallback)]


@pytest.mark.parametrize("fault", ["rate_limited", "overloaded", "unavailable"])
async def test_what_may_pass_is_tried_again(fault: ProviderFault) -> None:
    asked = Asked(fault)
    assert (await asked.all())[0] == "y"
    assert 0.15 < asked.times[1] - asked.times[0] < 0.6


async def test_three_times_in_all() -> None:
    asked = Asked("overloaded", "overloaded", "overloaded", retry_after=0.01)
    with pytest.raises(ProviderError):
        await asked.all()
    assert len(asked.times) == 3


@pytest.mark.parametrize(
    "fault", ["unauthorized", "forbidden", "not_found", "invalid_request", "timeout", "bad_response"]
)
async def test_what_wont_pass_isnt_tried_again(fault: ProviderFault) -> None:
    asked = Asked(fault)
    with pytest.raises(ProviderError):
        await asked.all()
    assert len(asked.times) == 1


async def test_it_waits_as_long_as_the_provider_asks_for() -> None:
    asked = Asked("rate_limited", retry_after=0.05)
    await asked.all()
    assert 0.04 < asked.times[1] - asked.times[0] < 0.2


async def test_a_pause_that_takes_too_much_of_the_time_isnt_taken() -> None:
    for seconds, has_fallback, retry_after in ((2.0, False, 1.0), (60.0, True, 3.0)):
        asked = Asked("rate_limited", retry_after=retry_after)
        start = time.monotonic()
        with pytest.raises(ProviderError) as caught:
            await asked.all(seconds, has_fallback=has_fallback)
        assert time.monotonic() - start < 0.2
        assert caught.value.retry_after == retry_after


async def test_what_has_begun_isnt_asked_for_again() -> None:
    asked = Asked("overloaded", text_first=True)
    with pytest.raises(ProviderError):
        await asked.all()
    assert len(asked.times) == 1
