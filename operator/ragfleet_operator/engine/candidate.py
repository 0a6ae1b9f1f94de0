"""Who leads: what one process asks of the Lease next, and until when it may count itself the leader.

No I/O and no clock here. Times are seconds of the process's own steady clock; those that stand in the Lease
are written for people and never read, so that the clocks of nodes don't matter.
"""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import Final, NamedTuple

from ragfleet_operator.engine.lease import MOST_SECONDS, Lease, held, released, vacant
from ragfleet_operator.model import Object

_NEVER: Final = float("-inf")


class Terms(NamedTuple):
    """How long things last, in seconds.

    lease: after which others may take a Lease that they haven't seen change. deadline: for which a renewal,
    from its start on, lets its holder write. retry: from one try to the next. call: the most for one answer,
    so that one may hang and another still comes within the deadline.
    """

    lease: int
    deadline: float
    retry: float
    call: float

    @classmethod
    def of(cls, lease: int) -> Terms:
        """15 s: renewed every 2 s, no more writes 10 s after the last renewal, 4 s for an answer."""
        return cls(lease, lease * 2 / 3, lease * 2 / 15, lease * 4 / 15)


class Verb(Enum):
    """A call of lease.Leases."""

    GET = "get"
    CREATE = "create"
    UPDATE = "update"


class Ask(NamedTuple):
    """A call to make. body: what is written; None where it is read."""

    verb: Verb
    body: Object | None = None


class Refusal(Enum):
    """Why a call didn't do what was asked: there is none, it is in another state, anything else."""

    ABSENT = "absent"
    CHANGED = "changed"
    FAILED = "failed"


class Candidate:
    """One process that wants to lead. me: its name, which no other process ever has.

    A try is ``begin()``, then ``next()`` and the answer to it, in turn, until ``next()`` gives None.
    """

    def __init__(self, me: str, terms: Terms) -> None:
        self._me = me
        self._terms = terms
        self._lease: Lease | None = None
        self._since = 0.0
        self._is_known = False
        self._is_done = False
        self._until = _NEVER
        self._has_led = False
        self._lost = ""

    @property
    def until(self) -> float:
        """Until when it leads; minus infinity where it doesn't."""
        return self._until

    @property
    def holder(self) -> str:
        """Who holds the Lease, as last seen; "" for nobody."""
        return self._lease.holder if self._lease else ""

    def leads(self, now: float) -> bool:
        """Whether it may write now."""
        return now < self._until

    def lost(self, now: float) -> str:
        """Why it leads no more, "" where it still does or never did. There is no way back."""
        if self._has_led and not self._lost and not self.leads(now):
            self._lost = f"the Lease wasn't renewed within {self._terms.deadline:g} s"
        return self._lost

    def resign(self) -> None:
        """Lead no more, by its own will."""
        self._until = _NEVER
        self._has_led = False

    def begin(self) -> None:
        """Begin a try."""
        self._is_done = False
        # Its own is written as it was last answered; what others may have written is read first.
        self._is_known = self._is_known and self._is_mine()

    def next(self, now: float, today: datetime, *, may_take: bool) -> Ask | None:
        """What to ask next. today: for people. may_take: False for one that isn't ready to lead."""
        if self._is_done or self.lost(now):
            return None
        if not self._is_known:
            return Ask(Verb.GET)
        if self._has_led:
            return self._keep(today)
        if self._lease is None:
            return Ask(Verb.CREATE, vacant(self._terms.lease, today))
        if may_take and self._is_free(self._lease, now):
            return Ask(Verb.UPDATE, held(self._lease, self._me, self._terms.lease, today))
        return None

    def release(self, today: datetime) -> Ask | None:
        """How to give back what it holds as last seen; None where it doesn't. Only after ``resign()``."""
        return Ask(Verb.UPDATE, released(self._lease, today)) if self._lease and self._is_mine() else None

    def answered(self, ask: Ask, lease: Lease, began: float, now: float) -> None:
        """Take the Lease that a call gave. began: when it was made."""
        self._see(lease, now)
        if ask.verb is Verb.GET:
            return
        # A Lease that was made for nobody is looked at again at the next try.
        self._is_done = True
        if lease.holder == self._me and not self.lost(now):
            self._until = began + self._terms.deadline
            self._has_led = self._has_led or self.leads(now)

    def refused(self, ask: Ask, refusal: Refusal, now: float) -> None:
        """Take that a call didn't do what was asked."""
        if refusal is Refusal.ABSENT and ask.verb is not Verb.CREATE:
            self._see(None, now)
            return
        self._is_known = False
        self._is_done = refusal is not Refusal.CHANGED

    def _keep(self, today: datetime) -> Ask | None:
        lease = self._lease
        if lease is not None and lease.holder not in ("", self._me):
            self._lost = f"another holds the Lease: {lease.holder}"
            self._until = _NEVER
            return None
        # Deleted, or emptied by hand: while it leads nobody else does, and the Lease may be its own again.
        verb = Verb.CREATE if lease is None else Verb.UPDATE
        return Ask(verb, held(lease, self._me, self._terms.lease, today))

    def _is_mine(self) -> bool:
        return self._lease is not None and self._lease.holder == self._me

    def _is_free(self, lease: Lease, now: float) -> bool:
        """Whether nobody can be leading by this Lease.

        Its holder's last renewal began before it was first seen here, and lasts no longer than it says, or
        than ours would. One without a holder may have lost its own by somebody's hand.
        """
        if lease.holder == self._me or lease.is_released:
            return True  # the answer to a call of its own was lost; or its holder writes no more
        return now - self._since >= max(min(lease.seconds, MOST_SECONDS), self._terms.lease)

    def _see(self, lease: Lease | None, now: float) -> None:
        if lease is None or self._lease is None or lease.version != self._lease.version:
            self._since = now
        self._lease = lease
        self._is_known = True
