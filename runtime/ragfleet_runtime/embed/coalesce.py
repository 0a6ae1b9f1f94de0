"""Questions that arrive together, embedded together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import ProviderError

EmbedTogether = Callable[[list[str], Deadline], Awaitable[Sequence[Vector]]]


class _Question:
    """A text that somebody waits for; ``alone`` after a call in which a text was refused."""

    __slots__ = ("alone", "call", "deadline", "result", "text")

    def __init__(self, text: str, deadline: Deadline, result: asyncio.Future[Vector]) -> None:
        self.text = text
        self.deadline = deadline
        self.result = result
        self.alone = False
        self.call: _Call | None = None


class _Call:
    """Questions on their way."""

    __slots__ = ("questions", "task")

    def __init__(self, questions: list[_Question]) -> None:
        self.questions = questions
        self.task: asyncio.Task[None] | None = None

    def left(self) -> None:
        """Stop the work when nobody waits for it any more."""
        if self.task is not None and all(question.result.done() for question in self.questions):
            self.task.cancel()


class Coalescer:
    """Joins questions into calls.

    A question with a free place for a call goes at the end of the loop's turn, with whatever else arrived in
    that turn; while every place is taken, questions wait, and go together in the next call.
    """

    def __init__(self, provider: str, embed: EmbedTogether, *, most_texts: int, most_calls: int) -> None:
        """provider: for messages. embed: the vectors of texts, in their order, by a deadline.

        most_texts: in one call. most_calls: at once.
        """
        self._provider = provider
        self._embed = embed
        self._most_texts = most_texts
        self._most_calls = most_calls
        self._waiting: deque[_Question] = deque()
        self._calls: set[_Call] = set()
        self._scheduled = False

    async def embed(self, text: str, deadline: Deadline) -> Vector:
        """A question's vector. Raises ProviderError, also (timeout) when the deadline passes.

        Who goes away, or runs out of time, leaves the others of the same call alone.
        """
        loop = asyncio.get_running_loop()
        question = _Question(text, deadline, loop.create_future())
        self._waiting.append(question)
        self._schedule(loop)
        timeout = asyncio.timeout(deadline.remaining())
        try:
            async with timeout:
                return await question.result
        except TimeoutError:
            if not timeout.expired():
                raise
            raise ProviderError(
                self._provider, "timeout", "no answer before the request's deadline"
            ) from None
        finally:
            if question.call is not None:
                question.call.left()

    async def aclose(self) -> None:
        """Stop the calls on their way; whoever waits is cancelled."""
        waiting = [*self._waiting, *(question for call in self._calls for question in call.questions)]
        for question in waiting:
            question.result.cancel()
        tasks = [call.task for call in self._calls if call.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        if not self._scheduled and len(self._calls) < self._most_calls:
            self._scheduled = True
            loop.call_soon(self._dispatch)

    def _dispatch(self) -> None:
        self._scheduled = False
        loop = asyncio.get_running_loop()
        while len(self._calls) < self._most_calls and (questions := self._next()):
            call = _Call(questions)
            for question in questions:
                question.call = call
            self._calls.add(call)
            call.task = loop.create_task(self._run(questions))
            # Not at the end of the task: one that is cancelled before it begins doesn't get there.
            call.task.add_done_callback(partial(self._ended, call))

    def _next(self) -> list[_Question]:
        """The questions of the next call; none where nobody waits."""
        chosen: list[_Question] = []
        while self._waiting and len(chosen) < self._most_texts:
            if self._waiting[0].result.done():
                self._waiting.popleft()  # gone
            elif not self._waiting[0].alone:
                chosen.append(self._waiting.popleft())
            elif chosen:
                break
            else:
                return [self._waiting.popleft()]
        return chosen

    def _ended(self, call: _Call, task: asyncio.Task[None]) -> None:
        self._calls.discard(call)
        self._schedule(task.get_loop())

    async def _run(self, questions: Sequence[_Question]) -> None:
        try:
            # Those with less time leave by themselves.
            deadline = max((question.deadline for question in questions), key=Deadline.remaining)
            vectors = await self._embed([question.text for question in questions], deadline)
            for question, vector in zip(questions, vectors, strict=True):
                if not question.result.done():
                    question.result.set_result(vector)
        except Exception as error:
            if isinstance(error, ProviderError) and error.fault == "invalid_request" and len(questions) > 1:
                self._again_alone(questions)
            else:
                _tell(questions, error)

    def _again_alone(self, questions: Sequence[_Question]) -> None:
        """One of the texts was refused, and only each alone tells which."""
        for question in reversed(questions):
            question.alone = True
            question.call = None
            self._waiting.appendleft(question)


def _tell(questions: Sequence[_Question], error: Exception) -> None:
    for question in questions:
        if not question.result.done():
            question.result.set_exception(error)
