"""What the cluster holds, and when it changed: watches of pipelines and of what is labelled as theirs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any, NamedTuple

import orjson

from bench.fleet.api import API
from ragfleet_operator.kinds import PIPELINE, Kind
from ragfleet_operator.names import PIPELINE_LABEL


class Place(NamedTuple):
    """Where an object is."""

    kind: Kind
    namespace: str
    name: str


class _Held(NamedTuple):
    """An object as the watch gave it: text takes a tenth of what the same takes as Python's."""

    uid: str
    version: int
    event: bytes


class Seen:
    """The objects of some kinds as they are, and when each last changed (``time.monotonic``)."""

    def __init__(self, api: API, kinds: Iterable[Kind]) -> None:
        self.changed: dict[Place, float] = {}
        self.last_change = time.monotonic()
        self._held: dict[Place, _Held] = {}
        self._pipelines = 0
        self._api = api
        self._kinds = tuple(kinds)
        self._listeners: list[Callable[[Place], None]] = []

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[Seen]:
        """Watch until the block ends. A watch that breaks ends the block with its error."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._watch(kind)) for kind in self._kinds]
            try:
                yield self
            finally:
                for task in tasks:
                    task.cancel()

    def __contains__(self, place: Place) -> bool:
        return place in self._held

    def uid(self, place: Place) -> str:
        """An object's uid, "" where there is none."""
        held = self._held.get(place)
        return held.uid if held else ""

    def version(self, place: Place) -> int:
        """An object's resourceVersion, 0 where there is none."""
        held = self._held.get(place)
        return held.version if held else 0

    def get(self, place: Place) -> dict[str, Any]:
        """An object, {} where there is none."""
        held = self._held.get(place)
        found: dict[str, Any] = orjson.loads(held.event)["object"] if held else {}
        return found

    def places(self, kind: Kind | None = None) -> list[Place]:
        """Where there are objects of a kind, or children of all kinds; in order."""
        wanted = (place for place in self._held if place.kind in ({kind} if kind else self._children))
        return sorted(wanted)

    def versions(self) -> dict[Place, int]:
        """The resourceVersions of all children."""
        return {place: held.version for place, held in self._held.items() if place.kind != PIPELINE}

    def look_again(self, place: Place) -> None:
        """Have what is waited for be looked at, though nothing was seen to change."""
        for listener in self._listeners:
            listener(place)

    async def moments(
        self, wanted: Collection[Place], is_so: Callable[[Place], bool], seconds: float
    ) -> dict[Place, float]:
        """When something came to be so of each place; those of which it isn't so in time aren't in it."""
        found: dict[Place, float] = {}
        missing = set(wanted)
        done = asyncio.Event()

        def look(place: Place) -> None:
            if place in missing and is_so(place):
                missing.discard(place)
                found[place] = time.monotonic()
                if not missing:
                    done.set()

        with self._hearing(look):
            for place in list(missing):
                look(place)
            if missing:
                try:
                    async with asyncio.timeout(seconds):
                        await done.wait()
                except TimeoutError:
                    pass
        return found

    async def all_so(
        self, wanted: Collection[Place], is_so: Callable[[Place], bool], what: str, seconds: float
    ) -> float:
        """The moment at which something was so of the last of them. Raises TimeoutError."""
        found = await self.moments(wanted, is_so, seconds)
        late = [place for place in wanted if place not in found]
        if late:
            example = f"{late[0].kind.kind} {late[0].namespace}/{late[0].name}"
            raise TimeoutError(f"waited {seconds:g} s for {what}: not so of {len(late)}, as of {example}")
        return max(found.values())

    async def children_reach(self, count: int, seconds: float) -> float:
        """The moment at which there are that many children. Raises TimeoutError."""
        moment = 0.0
        done = asyncio.Event()

        def look(_: Place) -> None:
            nonlocal moment
            if not moment and self.children_count >= count:
                moment = time.monotonic()
                done.set()

        with self._hearing(look):
            look(Place(PIPELINE, "", ""))
            async with asyncio.timeout(seconds):
                await done.wait()
        return moment

    @property
    def children_count(self) -> int:
        """How many children there are of all pipelines."""
        return len(self._held) - self._pipelines

    async def quiet(self, seconds: float, at_most: float = 300.0) -> None:
        """Wait until nothing has changed for so many seconds. Raises TimeoutError."""
        async with asyncio.timeout(at_most):
            while (rest := self.last_change + seconds - time.monotonic()) > 0:  # noqa: ASYNC110 - time is waited for
                await asyncio.sleep(rest)

    @property
    def _children(self) -> set[Kind]:
        return {kind for kind in self._kinds if kind != PIPELINE}

    @contextmanager
    def _hearing(self, listener: Callable[[Place], None]) -> Iterator[None]:
        self._listeners.append(listener)
        try:
            yield
        finally:
            self._listeners.remove(listener)

    async def _watch(self, kind: Kind) -> None:
        """Watch for ever: the server ends each watch after half an hour or more."""
        selector = "" if kind == PIPELINE else f"&labelSelector={PIPELINE_LABEL}"
        version = "0"
        while True:
            path = f"{kind.path(None)}?watch=1&allowWatchBookmarks=true&resourceVersion={version}{selector}"
            async for line in self._api.lines(path):
                event = orjson.loads(line)
                if event["type"] == "ERROR":
                    raise RuntimeError(f"the watch of {kind.plural} broke: {event['object'].get('message')}")
                metadata = event["object"]["metadata"]
                version = metadata["resourceVersion"]
                if event["type"] != "BOOKMARK":
                    self._see(
                        Place(kind, metadata["namespace"], metadata["name"]), event["type"], metadata, line
                    )

    def _see(self, place: Place, type_: str, metadata: dict[str, Any], event: bytes) -> None:
        now = time.monotonic()
        if place.kind == PIPELINE:
            self._pipelines += (type_ != "DELETED") - (place in self._held)
        if type_ == "DELETED":
            self._held.pop(place, None)
        else:
            self._held[place] = _Held(metadata["uid"], int(metadata["resourceVersion"]), event)
        self.changed[place] = self.last_change = now
        self.look_again(place)
