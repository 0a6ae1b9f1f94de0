"""Questions that arrive together go together, and harm nobody."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.coalesce import Coalescer
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import ProviderError

pytestmark = pytest.mark.anyio


class Model:
    """Gives a text's length as its vector, when it is let go."""

    def __init__(self, *, held: bool = False) -> None:
        self.calls: list[list[str]] = []
        self.deadlines: list[Deadline] = []
        self.go = asyncio.Event()
        self.cancelled = 0
        self.refused: str | None = None
        self.error: Exception | None = None
        if not held:
            self.go.set()

    async def embed(self, texts: list[str], deadline: Deadline) -> Sequence[Vector]:
        self.calls.append(texts)
        self.deadlines.append(deadline)
        try:
            await self.go.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        if self.error is not None:
            raise self.error
        if self.refused is not None and any(self.refused in text for text in texts):
            raise ProviderError("Somebody", "invalid_request", "refused")
        return [[float(len(text))] for text in texts]


def coalescer(model: Model, *, most_texts: int = 8, most_calls: int = 1) -> Coalescer:
    return Coalescer("Somebody", model.embed, most_texts=most_texts, most_calls=most_calls)


def ask(joined: Coalescer, text: str, seconds: float = 10) -> asyncio.Task[Vector]:
    return asyncio.create_task(joined.embed(text, Deadline(seconds)))


async def turns(count: int = 4) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_question_alone_goes_at_once() -> None:
    model = Model()
    assert await coalescer(model).embed("abc", Deadline(1)) == [3.0]
    assert model.calls == [["abc"]]


async def test_questions_of_one_turn_of_the_loop_go_together() -> None:
    model = Model()
    joined = coalescer(model)
    found = await asyncio.gather(*(joined.embed("x" * n, Deadline(1)) for n in range(5)))
    assert found == [[0.0], [1.0], [2.0], [3.0], [4.0]]
    assert len(model.calls) == 1


async def test_questions_wait_while_a_call_is_on_its_way_and_then_go_together() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    tasks = [ask(joined, "first")]
    await turns()
    for text in ("a", "bb", "ccc"):
        tasks.append(ask(joined, text))
        await turns()
    assert model.calls == [["first"]]
    model.go.set()
    assert await asyncio.gather(*tasks) == [[5.0], [1.0], [2.0], [3.0]]
    assert model.calls == [["first"], ["a", "bb", "ccc"]]


async def test_as_many_calls_as_allowed_are_on_their_way() -> None:
    model = Model(held=True)
    joined = coalescer(model, most_calls=2)
    tasks = []
    for text in ("a", "b", "c", "d"):
        tasks.append(ask(joined, text))
        await turns()
    assert model.calls == [["a"], ["b"]]
    model.go.set()
    await asyncio.gather(*tasks)
    assert model.calls == [["a"], ["b"], ["c", "d"]]


async def test_a_call_has_no_more_texts_than_a_batch() -> None:
    model = Model()
    joined = coalescer(model, most_texts=3)
    await asyncio.gather(*(joined.embed(str(n), Deadline(1)) for n in range(7)))
    assert [len(texts) for texts in model.calls] == [3, 3, 1]


async def test_who_goes_away_leaves_the_others_alone() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    tasks = [ask(joined, text) for text in ("a", "bb", "ccc")]
    await turns()
    tasks[1].cancel()
    await turns()
    assert model.cancelled == 0
    model.go.set()
    assert [await tasks[0], await tasks[2]] == [[1.0], [3.0]]
    assert tasks[1].cancelled()


async def test_who_goes_away_before_the_call_is_not_asked_for() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    first, second, third = ask(joined, "first"), None, None
    await turns()
    second, third = ask(joined, "second"), ask(joined, "third")
    await turns()
    second.cancel()
    model.go.set()
    await asyncio.gather(first, third)
    assert model.calls == [["first"], ["third"]]


async def test_a_call_that_nobody_waits_for_is_stopped_and_its_place_is_free() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    tasks = [ask(joined, "a"), ask(joined, "b")]
    await turns()
    later = ask(joined, "later")
    await turns()
    for task in tasks:
        task.cancel()
    await turns()
    assert model.cancelled == 1
    model.go.set()
    assert await later == [5.0]
    assert model.calls == [["a", "b"], ["later"]]


async def test_who_goes_away_as_the_call_is_made_leaves_its_place_free() -> None:
    model = Model()
    joined = coalescer(model)
    task = ask(joined, "gone")
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await joined.embed("next", Deadline(1)) == [4.0]


async def test_each_question_has_its_own_deadline() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    patient, hasty = ask(joined, "patient"), ask(joined, "hasty", seconds=0.02)
    with pytest.raises(ProviderError, match="no answer before the request's deadline") as raised:
        await hasty
    assert raised.value.fault == "timeout"
    assert model.deadlines[0].remaining() > 5
    model.go.set()
    assert await patient == [7.0]


async def test_a_question_that_waits_for_a_place_keeps_to_its_deadline() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    first = ask(joined, "first")
    await turns()
    with pytest.raises(ProviderError):
        await joined.embed("waits", Deadline(0.02))
    model.go.set()
    await first
    await turns()
    assert model.calls == [["first"]]


async def test_an_error_of_a_joint_call_is_told_to_all() -> None:
    model = Model()
    model.error = ProviderError("Somebody", "overloaded", "busy", retry_after=3)
    joined = coalescer(model)
    tasks = [ask(joined, text) for text in ("a", "b", "c")]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(error) for error in found] == ["Somebody: busy"] * 3
    assert len(model.calls) == 1


async def test_an_unforeseen_error_reaches_every_question() -> None:
    model = Model()
    model.error = RuntimeError("a bug")
    joined = coalescer(model)
    found = await asyncio.gather(ask(joined, "a"), ask(joined, "b"), return_exceptions=True)
    assert [str(error) for error in found] == ["a bug", "a bug"]


async def test_a_text_that_is_refused_hits_only_its_own_question() -> None:
    model = Model()
    model.refused = "bad"
    joined = coalescer(model)
    tasks = [ask(joined, text) for text in ("a", "bad", "ccc")]
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert found[0] == [1.0]
    assert isinstance(found[1], ProviderError)
    assert found[2] == [3.0]
    assert model.calls == [["a", "bad", "ccc"], ["a"], ["bad"], ["ccc"]]


async def test_questions_after_a_refusal_go_together_again() -> None:
    model = Model(held=True)
    model.refused = "bad"
    joined = coalescer(model)
    tasks = [ask(joined, text) for text in ("bad", "b")]
    await turns()
    tasks += [ask(joined, text) for text in ("c", "d")]
    await turns()
    model.go.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert model.calls == [["bad", "b"], ["bad"], ["b"], ["c", "d"]]


async def test_closing_stops_the_calls_and_whoever_waits() -> None:
    model = Model(held=True)
    joined = coalescer(model)
    tasks: list[asyncio.Task[Any]] = [ask(joined, "a")]
    await turns()
    tasks.append(ask(joined, "b"))
    await turns()
    await joined.aclose()
    found = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(error, asyncio.CancelledError) for error in found)
    assert model.cancelled == 1
    assert model.calls == [["a"]]
