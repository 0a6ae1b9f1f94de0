"""Who leads, as a state machine: what is asked next, and that there are never two."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_operator.engine.candidate import Ask, Candidate, Refusal, Terms, Verb
from ragfleet_operator.engine.lease import Lease, read_lease

TERMS = Terms.of(15)
TODAY = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class Server:
    """One Lease, as an API server keeps it."""

    def __init__(self) -> None:
        self.stored: dict[str, Any] | None = None
        self._versions = itertools.count(1)

    def carry_out(self, ask: Ask) -> Lease | Refusal:
        if ask.verb is Verb.CREATE:
            return Refusal.CHANGED if self.stored else self.put(ask.body or {})
        if self.stored is None:
            return Refusal.ABSENT
        if ask.verb is Verb.GET:
            return read_lease(self.stored)
        assert ask.body is not None
        if ask.body["metadata"]["resourceVersion"] != self.stored["metadata"]["resourceVersion"]:
            return Refusal.CHANGED
        return self.put(ask.body)

    def put(self, body: Any) -> Lease:
        self.stored = {**body, "metadata": {"name": "one", "resourceVersion": str(next(self._versions))}}
        return read_lease(self.stored)


def attempt(candidate: Candidate, server: Server, now: float, *, may_take: bool = True) -> list[Verb]:
    """A whole try without delays; what was asked."""
    asked = []
    candidate.begin()
    while (ask := candidate.next(now, TODAY, may_take=may_take)) is not None:
        asked.append(ask.verb)
        answer = server.carry_out(ask)
        if isinstance(answer, Refusal):
            candidate.refused(ask, answer, now)
        else:
            candidate.answered(ask, answer, now, now)
    return asked


def leader(server: Server, name: str = "a", now: float = 0.0) -> Candidate:
    """One that leads since ``now``."""
    server.put({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    candidate = Candidate(name, TERMS)
    assert attempt(candidate, server, now) == [Verb.GET, Verb.UPDATE]
    assert candidate.leads(now)
    return candidate


def test_a_lease_of_15_seconds_has_the_terms_that_the_documents_give() -> None:
    assert Terms(15, 10, 2, 4) == TERMS


def test_the_first_one_waits_as_long_as_an_unknown_leader_might_go_on() -> None:
    server, candidate = Server(), Candidate("a", TERMS)
    assert attempt(candidate, server, 0) == [Verb.GET, Verb.CREATE]
    assert attempt(candidate, server, 14.9) == [Verb.GET]
    assert not candidate.leads(14.9)
    assert attempt(candidate, server, 15) == [Verb.GET, Verb.UPDATE]
    assert candidate.leads(15)


def test_a_leader_renews_with_one_call_and_leads_for_the_deadline_from_its_beginning() -> None:
    server = Server()
    candidate = leader(server)
    candidate.begin()
    ask = candidate.next(2, TODAY, may_take=True)
    assert ask is not None
    assert ask.verb is Verb.UPDATE
    lease = server.carry_out(ask)
    assert isinstance(lease, Lease)
    candidate.answered(ask, lease, began=2, now=5)
    assert candidate.leads(11.9)
    assert not candidate.leads(12)
    assert candidate.lost(12) == "the Lease wasn't renewed within 10 s"


def test_who_acquired_it_when_and_how_often_it_changed_hands_is_kept() -> None:
    server = Server()
    first = leader(server)
    assert server.stored is not None
    acquired = server.stored["spec"]["acquireTime"]
    assert acquired == "2026-05-01T12:00:00.000000Z"
    first.begin()
    ask = first.next(2, TODAY + timedelta(seconds=2), may_take=True)
    assert ask is not None
    server.carry_out(ask)
    spec = server.stored["spec"]
    assert (spec["acquireTime"], spec["renewTime"]) == (acquired, "2026-05-01T12:00:02.000000Z")
    assert (spec["leaseTransitions"], spec["leaseDurationSeconds"], spec["holderIdentity"]) == (1, 15, "a")
    second = Candidate("b", TERMS)
    attempt(second, server, 2)
    attempt(second, server, 17)
    assert server.stored["spec"]["leaseTransitions"] == 2


def test_a_standby_takes_a_lease_that_it_hasnt_seen_change_for_as_long_as_it_lasts() -> None:
    server = Server()
    first, second = leader(server), Candidate("b", TERMS)
    for now in (1, 3, 5):
        attempt(first, server, now)
        assert attempt(second, server, now + 0.5) == [Verb.GET]
    assert attempt(second, server, 20.4) == [Verb.GET]
    assert attempt(second, server, 20.5) == [Verb.GET, Verb.UPDATE]
    assert second.leads(20.5)
    assert attempt(first, server, 20.6) == []
    assert first.lost(20.6)


def test_the_longer_of_two_terms_holds_while_they_differ_but_not_for_ever() -> None:
    server = Server()
    server.put({"spec": {"holderIdentity": "x", "leaseDurationSeconds": 60}})
    candidate = Candidate("a", TERMS)
    attempt(candidate, server, 0)
    assert attempt(candidate, server, 59) == [Verb.GET]
    assert attempt(candidate, server, 60) == [Verb.GET, Verb.UPDATE]
    server.put({"spec": {"holderIdentity": "x", "leaseDurationSeconds": 1}})
    other = Candidate("b", TERMS)
    attempt(other, server, 0)
    assert attempt(other, server, 14) == [Verb.GET]
    server.put({"spec": {"holderIdentity": "x", "leaseDurationSeconds": 2**31 - 1}})
    attempt(other, server, 20)
    assert attempt(other, server, 320) == [Verb.GET, Verb.UPDATE]


@pytest.mark.parametrize(
    "spec",
    [
        {},
        {"holderIdentity": "x", "renewTime": "yesterday"},
        {"holderIdentity": "x", "renewTime": "9999-12-31T23:59:59.000000Z", "leaseDurationSeconds": -4},
        {"holderIdentity": 7, "renewTime": None, "leaseDurationSeconds": "15", "leaseTransitions": []},
    ],
)
def test_what_stands_in_a_lease_as_times_and_garbage_doesnt_matter(spec: dict[str, Any]) -> None:
    server, candidate = Server(), Candidate("a", TERMS)
    server.put({"spec": spec})
    attempt(candidate, server, 100)
    assert attempt(candidate, server, 114) == [Verb.GET]
    assert attempt(candidate, server, 115) == [Verb.GET, Verb.UPDATE]


def test_one_that_isnt_ready_doesnt_take_it() -> None:
    server, candidate = Server(), Candidate("a", TERMS)
    attempt(candidate, server, 0, may_take=False)
    assert attempt(candidate, server, 100, may_take=False) == [Verb.GET]
    assert attempt(candidate, server, 100.1) == [Verb.GET, Verb.UPDATE]


def test_a_leader_makes_a_deleted_lease_again_and_goes_on() -> None:
    server = Server()
    candidate = leader(server)
    server.stored = None
    assert attempt(candidate, server, 2) == [Verb.UPDATE, Verb.CREATE]
    assert candidate.leads(11)


def test_a_standby_that_finds_no_lease_takes_none_away_from_a_leader() -> None:
    server = Server()
    first, second = leader(server), Candidate("b", TERMS)
    server.stored = None
    assert attempt(second, server, 1) == [Verb.GET, Verb.CREATE]
    assert not second.leads(1)
    assert attempt(first, server, 2) == [Verb.UPDATE, Verb.GET, Verb.UPDATE]
    assert first.leads(2)
    assert attempt(second, server, 16) == [Verb.GET]


def test_a_lease_that_was_emptied_by_hand_is_its_leaders_still() -> None:
    server = Server()
    first, second = leader(server), Candidate("b", TERMS)
    server.put({"spec": {"holderIdentity": "", "leaseDurationSeconds": 15}})
    assert attempt(second, server, 1) == [Verb.GET]
    assert attempt(first, server, 2) == [Verb.UPDATE, Verb.GET, Verb.UPDATE]
    assert first.leads(2)


def test_a_leader_that_finds_another_holder_leads_no_more_at_once() -> None:
    server = Server()
    candidate = leader(server)
    server.put({"spec": {"holderIdentity": "b", "leaseDurationSeconds": 15}})
    assert attempt(candidate, server, 2) == [Verb.UPDATE, Verb.GET]
    assert not candidate.leads(2)
    assert candidate.lost(2) == "another holds the Lease: b"


def test_what_was_lost_isnt_won_again() -> None:
    server = Server()
    candidate = leader(server)
    candidate.begin()
    ask = candidate.next(9, TODAY, may_take=True)
    assert ask is not None
    lease = server.carry_out(ask)
    assert candidate.lost(10.5)
    assert isinstance(lease, Lease)
    candidate.answered(ask, lease, began=9, now=10.5)
    assert not candidate.leads(10.5)
    assert attempt(candidate, server, 11) == []


def test_an_answer_that_comes_after_the_deadline_makes_no_leader() -> None:
    server = Server()
    server.put({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    candidate = Candidate("a", TERMS)
    candidate.begin()
    first = candidate.next(0, TODAY, may_take=True)
    assert first is not None
    read = server.carry_out(first)
    assert isinstance(read, Lease)
    candidate.answered(first, read, 0, 0)
    ask = candidate.next(0, TODAY, may_take=True)
    assert ask is not None
    taken = server.carry_out(ask)
    assert isinstance(taken, Lease)
    candidate.answered(ask, taken, began=0, now=11)
    assert not candidate.leads(11)
    assert not candidate.lost(11)
    assert attempt(candidate, server, 12) == [Verb.UPDATE]
    assert candidate.leads(12)


def test_a_take_whose_answer_was_lost_is_found_at_the_next_try() -> None:
    server = Server()
    server.put({"spec": {"holderIdentity": "", "leaseDurationSeconds": 1}})
    candidate = Candidate("a", TERMS)
    candidate.begin()
    for verb in (Verb.GET, Verb.UPDATE):
        ask = candidate.next(0, TODAY, may_take=True)
        assert ask is not None
        assert ask.verb is verb
        answer = server.carry_out(ask)
        assert isinstance(answer, Lease)
        if verb is Verb.GET:
            candidate.answered(ask, answer, 0, 0)
        else:
            candidate.refused(ask, Refusal.FAILED, 4)
    assert candidate.next(4, TODAY, may_take=True) is None
    assert attempt(candidate, server, 6) == [Verb.GET, Verb.UPDATE]
    assert candidate.leads(6)


def test_a_released_lease_is_taken_at_once_and_only_by_one() -> None:
    server = Server()
    first, second, third = leader(server), Candidate("b", TERMS), Candidate("c", TERMS)
    attempt(second, server, 1)
    attempt(third, server, 1)
    first.resign()
    assert not first.leads(1)
    ask = first.release(TODAY)
    assert ask is not None
    server.carry_out(ask)
    assert attempt(second, server, 2) == [Verb.GET, Verb.UPDATE]
    assert second.leads(2)
    assert attempt(third, server, 2) == [Verb.GET]
    assert second.release(TODAY) is not None
    assert third.release(TODAY) is None


class World:
    """Candidates, a server and one time; calls arrive late, twice never, their answers late or not at all."""

    def __init__(self, count: int) -> None:
        self.now = 0.0
        self.server = Server()
        self.names = itertools.count(1)
        # The first leads, so that there is something to take.
        self.candidates = [leader(self.server, "0"), *(Candidate(str(-n), TERMS) for n in range(1, count))]
        self.waiting: list[tuple[Ask, float] | None] = [None] * count
        self.answers: list[Lease | Refusal | None] = [None] * count
        self.late: list[Ask] = []

    def leaders(self) -> list[int]:
        return [number for number, one in enumerate(self.candidates) if one.leads(self.now)]

    def ask(self, number: int, draw: int) -> None:
        """A candidate begins a call, in its try or in a new one."""
        if self.waiting[number] is not None:
            return
        one = self.candidates[number]
        ask = one.next(self.now, TODAY, may_take=True) if draw % 2 else None
        if ask is None:
            one.begin()
            ask = one.next(self.now, TODAY, may_take=True)
        if ask is not None:
            self.waiting[number], self.answers[number] = (ask, self.now), None

    def attempt(self, number: int, draw: int) -> None:
        """A candidate makes a whole try, and nothing is slow."""
        if self.waiting[number] is None:
            attempt(self.candidates[number], self.server, self.now)

    def arrive(self, number: int, draw: int) -> None:
        """A call is carried out."""
        call = self.waiting[number]
        if call is not None and self.answers[number] is None:
            self.answers[number] = self.server.carry_out(call[0])

    def answer(self, number: int, draw: int) -> None:
        """The answer is heard."""
        call, answer = self.waiting[number], self.answers[number]
        if call is None or answer is None:
            return
        self.waiting[number] = None
        if isinstance(answer, Refusal):
            self.candidates[number].refused(call[0], answer, self.now)
        else:
            self.candidates[number].answered(call[0], answer, call[1], self.now)

    def fail(self, number: int, draw: int) -> None:
        """The answer isn't waited for any more; the call may still arrive, whenever."""
        call = self.waiting[number]
        if call is None:
            return
        self.waiting[number] = None
        if self.answers[number] is None:
            self.late.append(call[0])
        self.candidates[number].refused(call[0], Refusal.FAILED, self.now)

    def arrive_late(self, number: int, draw: int) -> None:
        """A call that nobody waits for any more is carried out."""
        if self.late:
            self.server.carry_out(self.late.pop(draw % len(self.late)))

    def pass_time(self, number: int, draw: int) -> None:
        """Time goes on, for all of them: one that does nothing meanwhile is paused."""
        self.now += (0.5, 1, 2, 2, 4, 5, 8, 9, 10, 15)[draw % 10]

    def delete(self, number: int, draw: int) -> None:
        """Somebody deletes the Lease."""
        self.server.stored = None

    def empty(self, number: int, draw: int) -> None:
        """Somebody takes the holder out, or leaves no more than nonsense."""
        spec: dict[str, Any] = {"holderIdentity": "", "leaseDurationSeconds": 15} if draw % 2 else {}
        self.server.put({"spec": spec})

    def release(self, number: int, draw: int) -> None:
        """A candidate ends in order, and a new process takes its place."""
        if self.waiting[number] is not None:
            return
        self.candidates[number].resign()
        ask = self.candidates[number].release(TODAY)
        if ask is not None:
            self.server.carry_out(ask)
        self._replace(number)

    def kill(self, number: int, draw: int) -> None:
        """A candidate ends at once, and a new process takes its place."""
        call = self.waiting[number]
        if call is not None and self.answers[number] is None:
            self.late.append(call[0])
        self._replace(number)

    def _replace(self, number: int) -> None:
        self.waiting[number] = None
        self.candidates[number] = Candidate(str(next(self.names)), TERMS)


STEPS: tuple[Callable[[World, int, int], None], ...] = (
    *(World.attempt,) * 8,
    *(World.pass_time,) * 6,
    *(World.ask, World.arrive, World.answer) * 2,
    World.fail,
    World.arrive_late,
    World.delete,
    World.empty,
    World.release,
    World.kill,
)
STEPS_OF_A_RUN = 250


def run(seed: int, steps: int) -> World:
    """A world after as many steps at random, in which there were never two leaders."""
    chance = random.Random(seed)
    world = World(2)
    for _ in range(steps):
        step = chance.choice(STEPS)
        step(world, chance.randrange(2), chance.randrange(10))
        assert len(world.leaders()) <= 1, step.__name__
    return world


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_there_are_never_two_leaders(seed: int) -> None:
    run(seed, STEPS_OF_A_RUN)


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), steps=st.integers(0, 60))
def test_whatever_went_before_one_leads_again_soon(seed: int, steps: int) -> None:
    world = run(seed, steps)
    ends = world.now + TERMS.lease + 2 * TERMS.retry
    while not world.leaders():
        assert world.now <= ends
        for number in range(2):
            world.fail(number, 0)
            if world.candidates[number].lost(world.now):
                world.kill(number, 0)
            attempt(world.candidates[number], world.server, world.now)
        world.now += TERMS.retry
