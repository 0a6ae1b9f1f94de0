"""Keeps one process of several the leader, by a Lease: the calls, the pauses, and what is said of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from ragfleet_operator.engine.candidate import Ask, Candidate, Refusal, Terms, Verb
from ragfleet_operator.engine.errors import Conflict, NotFound
from ragfleet_operator.engine.lease import Lease, Leases, read_lease
from ragfleet_operator.engine.queue import describe
from ragfleet_operator.model import Object

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# To write, to be told that the Lease has changed, to read it, to write again, and once more.
_MOST_ASKS: Final = 6
_LEAST_PAUSE: Final = 0.01


class LeadershipLostError(Exception):
    """Another may lead by now. The text is one line for people."""


def steady() -> float:
    """Seconds that no setting of the clock moves, and that go on while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Elector:
    """Tries to lead, and to stay it. me: this process's name, as no other process ever has.

    may_take: whether it is ready to lead. clock: seconds, see ``steady``.
    """

    def __init__(
        self,
        leases: Leases,
        me: str,
        terms: Terms,
        *,
        may_take: Callable[[], bool] = lambda: True,
        clock: Callable[[], float] = steady,
        today: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.gained = asyncio.Event()
        self._leases = leases
        self._me = me
        self._terms = terms
        self._may_take = may_take
        self._clock = clock
        self._today = today
        self._candidate = Candidate(me, terms)
        self._ending = asyncio.Event()
        self._told_holder: str | None = None
        self._failure = ""

    def leads(self) -> bool:
        """Whether this process may write, now."""
        return self._candidate.leads(self._clock())

    @property
    def holder(self) -> str:
        """Who holds the Lease, as last read; "" for nobody."""
        return self._candidate.holder

    async def run(self) -> None:
        """Try until ``end()``. Raises LeadershipLostError, at once after a pause of this process too."""
        while not self._ending.is_set():
            begun = self._clock()
            await self._try()
            self._tell()
            await self._rest(begun)

    def end(self) -> None:
        """Have ``run()`` return after the call that is on its way; what it holds, it still holds."""
        self._ending.set()

    async def release(self) -> None:
        """Lead no more, and give the Lease back, so that another needn't wait. Only after ``run()``."""
        was_leading = self.leads()
        self._candidate.resign()
        self._candidate.begin()
        for _ in range(2):
            # Another call of ours may have been carried out without an answer: what is there is read first.
            if not await self._call(Ask(Verb.GET)):
                break
            ask = self._candidate.release(self._today())
            if ask is None:
                return
            if await self._call(ask):
                log.info("the Lease was given back")
                return
        if was_leading:
            log.warning(
                "the Lease couldn't be given back: another leads when it is over", reason=self._failure
            )

    async def _try(self) -> None:
        self._candidate.begin()
        for _ in range(_MOST_ASKS):
            self._check()
            ask = self._candidate.next(self._clock(), self._today(), may_take=self._may_take())
            if ask is None:
                break
            await self._call(ask)
        self._check()

    def _check(self) -> None:
        """Raises LeadershipLostError."""
        reason = self._candidate.lost(self._clock())
        if reason:
            raise LeadershipLostError(
                f"{reason} (last failure: {self._failure})" if self._failure else reason
            )

    async def _call(self, ask: Ask) -> bool:
        """Make a call; whether it did what was asked. Whatever else happens is a failure of it."""
        began = self._clock()
        try:
            async with asyncio.timeout(self._seconds(began)):
                lease = await self._send(ask)
        except TimeoutError:
            self._refused(ask, Refusal.FAILED, "no answer in time")
        except NotFound as error:
            self._refused(ask, Refusal.ABSENT, "" if ask.verb is not Verb.CREATE else describe(error))
        except Conflict:
            self._refused(ask, Refusal.CHANGED, "")
        except Exception as error:  # what isn't foreseen is no better than a lost answer
            self._refused(ask, Refusal.FAILED, describe(error))
        else:
            self._candidate.answered(ask, lease, began, self._clock())
            self._answers()
            return True
        return False

    async def _send(self, ask: Ask) -> Lease:
        body: Object = ask.body or {}
        match ask.verb:
            case Verb.GET:
                return read_lease(await self._leases.get())
            case Verb.CREATE:
                return read_lease(await self._leases.create(body))
            case Verb.UPDATE:
                return read_lease(await self._leases.update(body))

    def _seconds(self, now: float) -> float:
        """For how long to wait for an answer: not beyond the end of what is to be renewed."""
        if not self._candidate.leads(now):
            return self._terms.call
        return min(self._terms.call, self._candidate.until - now)

    async def _rest(self, begun: float) -> None:
        """Until the next try is due, this process leads no more, or it is to end."""
        now = self._clock()
        pause = begun + self._terms.retry - now
        if self._candidate.leads(now):
            pause = min(pause, self._candidate.until - now)
        try:
            async with asyncio.timeout(max(pause, _LEAST_PAUSE)):
                await self._ending.wait()
        except TimeoutError:
            return

    def _refused(self, ask: Ask, refusal: Refusal, failure: str) -> None:
        self._candidate.refused(ask, refusal, self._clock())
        if failure and not self._failure:
            log.warning("the Lease can't be read or written; trying again", reason=failure)
        self._failure = failure or self._failure

    def _answers(self) -> None:
        if self._failure:
            log.info("the Lease can be read and written again")
        self._failure = ""

    def _tell(self) -> None:
        if self.leads() and not self.gained.is_set():
            log.info("this operator leads", identity=self._me)
            self.gained.set()
        elif not self.gained.is_set() and self.holder != self._told_holder and not self._failure:
            self._told_holder = self.holder
            log.info("standing by", holder=self.holder or "nobody yet", lease_seconds=self._terms.lease)
