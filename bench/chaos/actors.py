"""Threads that do things at random until the time is over."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import httpx

Act = Callable[[random.Random], str]


class Actor:
    """Does something again and again. act: one thing, and what it was; pause: seconds between two, at most.

    What it can't do because the API server is away is left, and counted as "server away".
    """

    def __init__(self, name: str, seed: int, act: Act, pause: float) -> None:
        self.done: Counter[str] = Counter()
        self.error: BaseException | None = None
        self._chance = random.Random(f"{seed} {name}")
        self._act = act
        self._pause = pause
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name)
        self.name = name

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def end(self) -> None:
        """Finish what is begun."""
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        try:
            while not self._over.wait(self._chance.uniform(0, self._pause)):
                try:
                    self.done[self._act(self._chance)] += 1
                except httpx.TransportError:
                    self.done["server away"] += 1
        except BaseException as error:
            self.error = error


@contextmanager
def acting(actors: Sequence[Actor]) -> Iterator[None]:
    """All of them, until the end of the block. Raises what one of them ended with."""
    for actor in actors:
        actor.start()
    try:
        yield
    finally:
        for actor in actors:
            actor.end()
    for actor in actors:
        if actor.error is not None:
            raise RuntimeError(f"the actor {actor.name} failed") from actor.error


def until(moment: float, actors: Sequence[Actor]) -> None:
    """Wait for a moment of ``time.monotonic``, or until an actor fails."""
    while time.monotonic() < moment and all(actor.error is None for actor in actors):
        time.sleep(0.2)
