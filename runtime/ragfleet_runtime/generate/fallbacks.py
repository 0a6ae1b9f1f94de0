"""Generators in the order in which they are tried, within one deadline."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import aclosing
from dataclasses import replace

import structlog

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.generate.model import Finish, Generator, Pieces, Question, Source
from ragfleet_runtime.observe.metrics import Metrics

# A generator that isn't the last one may let its caller wait for half of the time that is left, so that one
# that hangs leaves the others theirs; and it must be done a tenth of the time before the deadline.
_WAIT_SHARE = 0.5
_WHOLE_SHARE = 0.9

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AllFailedError(ProviderError):
    """No generator made an answer: the last one's error. ``degraded`` names what failed, in order."""

    def __init__(self, last: ProviderError, degraded: Sequence[str]) -> None:
        super().__init__(last.provider, last.fault, "", retry_after=last.retry_after)
        self.args = last.args
        self.degraded = tuple(degraded)


class Fallbacks:
    """Tries generators one after the other. Each that fails is named as ``generation:NAME:FAULT``."""

    def __init__(self, generators: Sequence[Generator], metrics: Metrics) -> None:
        self._generators = tuple(generators)
        self._metrics = metrics

    async def stream(self, question: Question, sources: Sequence[Source], deadline: Deadline) -> Pieces:
        """As of Generator. The next generator is tried only as long as nothing was given out.

        Raises AllFailedError, also where one fails within its answer.
        """
        failed: list[str] = []
        for generator in self._generators:
            has_begun = False
            try:
                async with aclosing(
                    self._paced(generator, question, sources, deadline, gives_out=True)
                ) as pieces:
                    async for piece in pieces:
                        has_begun = True
                        yield piece if isinstance(piece, str) else _with(piece, failed)
            except ProviderError as error:
                failed.append(self._note(error))
                if has_begun or generator is self._generators[-1]:
                    raise AllFailedError(error, failed) from error
            else:
                return

    async def whole(
        self, question: Question, sources: Sequence[Source], deadline: Deadline
    ) -> tuple[str, Finish]:
        """The whole answer; what a generator wrote before it failed is forgotten. Raises AllFailedError."""
        failed: list[str] = []
        for generator in self._generators:
            text: list[str] = []
            try:
                async with aclosing(
                    self._paced(generator, question, sources, deadline, gives_out=False)
                ) as pieces:
                    async for piece in pieces:
                        if isinstance(piece, Finish):
                            return "".join(text), _with(piece, failed)
                        text.append(piece)
            except ProviderError as error:
                failed.append(self._note(error))
                if generator is self._generators[-1]:
                    raise AllFailedError(error, failed) from error
        raise AssertionError("a generator ended without a Finish")

    async def _paced(
        self,
        generator: Generator,
        question: Question,
        sources: Sequence[Source],
        deadline: Deadline,
        *,
        gives_out: bool,
    ) -> Pieces:
        """A generator's pieces, none of which may take too long.

        gives_out: pieces go to the client at once, so that no other generator can follow after the first.
        """
        is_last = generator is self._generators[-1]
        own = deadline if is_last or gives_out else deadline.at_most(deadline.remaining() * _WHOLE_SHARE)
        start = time.perf_counter()
        waits_shortly = not is_last
        async with aclosing(generator.stream(question, sources, deadline)) as pieces:
            while True:
                seconds = own.remaining() * (_WAIT_SHARE if waits_shortly else 1.0)
                timeout = asyncio.timeout(seconds)
                try:
                    async with timeout:
                        piece = await anext(pieces)
                except StopAsyncIteration:
                    return
                except TimeoutError:
                    if not timeout.expired():
                        raise
                    raise ProviderError(
                        generator.name, "timeout", f"nothing came for {seconds:.3g} s"
                    ) from None
                if start:
                    self._metrics.first_token_seconds.labels(generator.name).observe(
                        time.perf_counter() - start
                    )
                    start = 0.0
                if isinstance(piece, Finish):
                    self._count(generator.name, piece)
                waits_shortly = waits_shortly and not gives_out
                yield piece

    def _note(self, error: ProviderError) -> str:
        self._metrics.provider_errors.labels(error.provider, error.fault).inc()
        log.warning("generation failed", generator=error.provider, fault=error.fault, error=str(error))
        return f"generation:{error.provider}:{error.fault}"

    def _count(self, name: str, finish: Finish) -> None:
        for kind, tokens in (
            ("prompt", finish.usage.prompt_tokens),
            ("completion", finish.usage.completion_tokens),
        ):
            if tokens:
                self._metrics.tokens.labels(name, kind).inc(tokens)


def _with(finish: Finish, failed: Sequence[str]) -> Finish:
    return replace(finish, degraded=(*failed, *finish.degraded)) if failed else finish
