from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError, ProviderFault, StorageError
from ragfleet_runtime.generate.fallbacks import AllFailedError, Fallbacks
from ragfleet_runtime.generate.model import Finish, Pieces, Question, Source, Usage
from ragfleet_runtime.observe.metrics import Metrics

pytestmark = pytest.mark.anyio

ASKED = Question("Why?", "Why?")
Item = str | float | BaseException


class Scripted:
    """A generator that says its texts, sleeps for its numbers, and raises its errors."""

    def __init__(self, name: str, *items: Item) -> None:
        self.name = name
        self.items = items
        self.asked = 0
        self.is_closed = False

    async def stream(self, question: Question, sources: Sequence[Source], deadline: Deadline) -> Pieces:
        self.asked += 1
        try:
            for item in self.items:
                if isinstance(item, str):
                    yield item
                elif isinstance(item, float):
                    await asyncio.sleep(item)
                else:
                    raise item
            yield Finish(self.name, (), 0.5, Usage(3, 2), ("uncited",))
        finally:
            self.is_closed = True


def failing(name: str, fault: ProviderFault = "overloaded") -> ProviderError:
    return ProviderError(name, fault, "no")


async def streamed(fallbacks: Fallbacks, seconds: float = 10) -> tuple[str, Finish]:
    *texts, finish = [piece async for piece in fallbacks.stream(ASKED, (), Deadline(seconds))]
    assert isinstance(finish, Finish)
    return "".join(str(text) for text in texts), finish


async def test_the_first_generator_answers() -> None:
    first, second = Scripted("a", "x", "y"), Scripted("b", "z")
    fallbacks = Fallbacks([first, second], Metrics())
    assert (await streamed(fallbacks))[0] == "xy"
    text, finish = await fallbacks.whole(ASKED, (), Deadline(10))
    assert (text, finish.model, finish.degraded) == ("xy", "a", ("uncited",))
    assert second.asked == 0


async def test_each_failure_is_named_and_counted() -> None:
    metrics = Metrics()
    generators = [Scripted("a", failing("a")), Scripted("b", failing("b", "not_found")), Scripted("c", "z")]
    fallbacks = Fallbacks(generators, metrics)
    for text, finish in (await streamed(fallbacks), await fallbacks.whole(ASKED, (), Deadline(10))):
        assert text == "z"
        assert finish.degraded == ("generation:a:overloaded", "generation:b:not_found", "uncited")
    count = metrics.registry.get_sample_value
    assert count("ragfleet_provider_errors_total", {"provider": "a", "fault": "overloaded"}) == 2
    assert count("ragfleet_tokens_total", {"generator": "c", "kind": "prompt"}) == 6
    assert count("ragfleet_tokens_total", {"generator": "c", "kind": "completion"}) == 4
    assert count("ragfleet_first_token_seconds_count", {"generator": "c"}) == 2


async def test_once_text_was_given_out_no_other_generator_follows() -> None:
    second = Scripted("b", "z")
    fallbacks = Fallbacks([Scripted("a", "x", failing("a")), second], Metrics())
    pieces = fallbacks.stream(ASKED, (), Deadline(10))
    assert await anext(pieces) == "x"
    with pytest.raises(AllFailedError) as caught:
        await anext(pieces)
    assert caught.value.degraded == ("generation:a:overloaded",)
    assert second.asked == 0


async def test_a_whole_answer_forgets_what_was_written_before_a_failure() -> None:
    fallbacks = Fallbacks([Scripted("a", "x", failing("a")), Scripted("b", "z")], Metrics())
    text, finish = await fallbacks.whole(ASKED, (), Deadline(10))
    assert (text, finish.model) == ("z", "b")
    assert finish.degraded[0] == "generation:a:overloaded"


@pytest.mark.parametrize("is_whole", [True, False])
async def test_when_all_fail_the_last_error_tells(*, is_whole: bool) -> None:
    last = ProviderError("b", "rate_limited", "too many", retry_after=7)
    fallbacks = Fallbacks([Scripted("a", failing("a")), Scripted("b", last)], Metrics())
    with pytest.raises(AllFailedError) as caught:
        await (fallbacks.whole(ASKED, (), Deadline(10)) if is_whole else streamed(fallbacks))
    error = caught.value
    assert (str(error), error.provider, error.fault, error.retry_after) == (
        "b: too many",
        "b",
        "rate_limited",
        7,
    )
    assert error.degraded == ("generation:a:overloaded", "generation:b:rate_limited")


@pytest.mark.parametrize("is_whole", [True, False])
async def test_one_that_hangs_leaves_the_next_half_of_the_time(*, is_whole: bool) -> None:
    hanging = Scripted("a", 60.0)
    fallbacks = Fallbacks([hanging, Scripted("b", "z")], Metrics())
    start = time.monotonic()
    text, finish = await (fallbacks.whole(ASKED, (), Deadline(0.6)) if is_whole else streamed(fallbacks, 0.6))
    assert 0.25 < time.monotonic() - start < 0.5
    assert (text, finish.degraded[0]) == ("z", "generation:a:timeout")
    assert hanging.is_closed


async def test_the_last_one_may_take_all_of_the_time() -> None:
    text, _ = await streamed(Fallbacks([Scripted("a", 0.3, "x")], Metrics()), 0.5)
    assert text == "x"
    with pytest.raises(ProviderError, match=r"a: nothing came for 0\.2 s") as caught:
        await streamed(Fallbacks([Scripted("a", 60.0, "x")], Metrics()), 0.2)
    assert caught.value.fault == "timeout"


async def test_a_stream_that_has_begun_may_take_all_of_the_time() -> None:
    fallbacks = Fallbacks([Scripted("a", "x", 0.4, "y"), Scripted("b", "z")], Metrics())
    assert (await streamed(fallbacks, 0.6))[0] == "xy"


async def test_a_whole_answer_that_never_ends_leaves_time_for_the_next() -> None:
    items: list[Item] = ["x", 0.01]
    endless = Scripted("a", *items * 1000)
    text, finish = await Fallbacks([endless, Scripted("b", "z")], Metrics()).whole(ASKED, (), Deadline(0.6))
    assert (text, finish.degraded[0]) == ("z", "generation:a:timeout")


async def test_what_is_no_providers_fault_isnt_hidden() -> None:
    second = Scripted("b", "z")
    with pytest.raises(StorageError):
        await streamed(Fallbacks([Scripted("a", StorageError("broken")), second], Metrics()))
    with pytest.raises(TimeoutError, match="somebody else"):
        await streamed(Fallbacks([Scripted("a", TimeoutError("somebody else's")), second], Metrics()))
    assert second.asked == 0


async def test_a_caller_who_stops_closes_the_generator() -> None:
    generator = Scripted("a", "x", 60.0)
    pieces = Fallbacks([generator], Metrics()).stream(ASKED, (), Deadline(10))
    assert await anext(pieces) == "x"
    await pieces.aclose()
    assert generator.is_closed
