"""Whether this operator may write: it is alone, or it holds a Lease that several share."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final, Protocol

from ragfleet_operator.access import Access
from ragfleet_operator.engine.candidate import Terms
from ragfleet_operator.engine.elector import Elector
from ragfleet_operator.engine.lease import MOST_SECONDS, KubernetesLeases
from ragfleet_operator.errors import OperatorError

LEAST_SECONDS: Final = 3
LEASE_NAME: Final = "ragfleet-operator"
_POD_NAME: Final = "POD_NAME"


@dataclass(frozen=True, slots=True)
class Election:
    """How several operators agree on one. enabled: None for where the operator runs in a pod.

    namespace: of the Lease; "" for the operator's own. seconds: after which a standby takes over from a
    leader that is silent; the rest follows from it (see engine.candidate.Terms).
    """

    enabled: bool | None = None
    name: str = LEASE_NAME
    namespace: str = ""
    seconds: int = 15

    def resolved(self, own_namespace: str) -> Election:
        """With what depends on where the operator runs: ``own_namespace`` is "" outside a pod.

        Raises OperatorError.
        """
        enabled = bool(own_namespace) if self.enabled is None else self.enabled
        namespace = self.namespace or own_namespace
        if enabled and not namespace:
            raise OperatorError(
                "outside a pod, leader election needs a namespace for its Lease: set --lease-namespace"
            )
        if not LEAST_SECONDS <= self.seconds <= MOST_SECONDS:
            raise OperatorError(
                f"--lease-seconds is {self.seconds}; it can be from {LEAST_SECONDS} to {MOST_SECONDS}"
            )
        return Election(enabled, self.name, namespace, self.seconds)


class Leadership(Protocol):
    """May write, or waits for it. gained: is set once it may."""

    gained: asyncio.Event

    def leads(self) -> bool:
        """Whether it may write, now."""

    def notes(self) -> list[str]:
        """What people should know of it."""

    async def run(self) -> None:
        """Until ``end()``. Raises LeadershipLostError."""

    def end(self) -> None:
        """Have ``run()`` return."""

    async def release(self) -> None:
        """Write no more, and let another lead. Only after ``run()``."""


class Alone:
    """Leads from the start, as there is no other."""

    def __init__(self) -> None:
        self.gained = asyncio.Event()
        self.gained.set()
        self._ending = asyncio.Event()
        self._is_over = False

    def leads(self) -> bool:
        """See Leadership."""
        return not self._is_over

    def notes(self) -> list[str]:
        """See Leadership."""
        return []

    async def run(self) -> None:
        """See Leadership."""
        await self._ending.wait()

    def end(self) -> None:
        """See Leadership."""
        self._ending.set()

    async def release(self) -> None:
        """See Leadership."""
        self._is_over = True


class Elected(Elector):
    """An elector as the program sees it."""

    def notes(self) -> list[str]:
        """See Leadership."""
        return [] if self.leads() else [f"standby: the Lease is held by {self.holder or 'nobody'}"]


@asynccontextmanager
async def leadership(
    election: Election, access: Access, may_take: Callable[[], bool]
) -> AsyncIterator[Leadership]:
    """By a resolved election. may_take: whether the program is ready to lead."""
    if not election.enabled:
        yield Alone()
        return
    terms = Terms.of(election.seconds)
    async with access.session() as session:
        leases = KubernetesLeases(
            session, access.server, election.namespace, election.name, seconds=terms.call
        )
        yield Elected(leases, identity(), terms, may_take=may_take)


def identity() -> str:
    """The pod's name, else the machine's, and what tells one start of the program from another."""
    name = os.environ.get(_POD_NAME) or socket.gethostname()
    return f"{name}_{secrets.token_hex(4)}"
