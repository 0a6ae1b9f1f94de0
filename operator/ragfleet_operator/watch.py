"""Watches a kind with kopf, wherever that is possible at the moment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence, Set
from contextlib import contextmanager
from http import HTTPStatus
from typing import NamedTuple

import aiohttp
import kopf
import structlog

from ragfleet_operator.access import Access
from ragfleet_operator.contents import take_page, take_watch
from ragfleet_operator.engine.errors import ApiError, Forbidden, NotFound
from ragfleet_operator.handlers import registry_of
from ragfleet_operator.kinds import OPTIONAL, PIPELINE, Kind
from ragfleet_operator.listing import Listing
from ragfleet_operator.model import Object
from ragfleet_operator.probe import probe
from ragfleet_operator.settings import Timing, kopf_settings
from ragfleet_operator.sources import Phase, Source, WatchState
from ragfleet_operator.stream import EventReader, MalformedError

_log = structlog.get_logger("ragfleet.watch")

_RETRY_SECONDS = 2.0


class Sinks(NamedTuple):
    """Where a watch goes. see: takes each object, with the type of its event or, of a list, None.

    listed: all that a list held was seen: namespace and name of each, and the list's version. What else is
    known of the source has vanished. found: a kind can be watched that couldn't. changed: a watch is doing
    something else than before. spawned: a kopf has started, and taken the signals' handlers.
    """

    see: Callable[[Kind, str | None, Object], None]
    listed: Callable[[Source, Set[tuple[str, str]], str], None]
    found: Callable[[Kind], None]
    changed: Callable[[], None]
    spawned: Callable[[], None]


class NotTakenError(Exception):
    """A fault of this program: it couldn't take what it was told, so that it doesn't know what there is."""


class KindWatch:
    """A kopf that watches one kind with one selector, supervised. states: one for each namespace.

    kopf ends as a whole where one of its watches is refused, and can't wait for a kind or a namespace without
    permission to read definitions and namespaces: so each kind has its own, which gets the namespaces that
    can be read and is started again when these change. It asks the API server, again and again; the answers
    pass here, and the objects in them are taken before it sees them (docs/adr/0023-events-before-kopf.md).
    """

    def __init__(self, states: Sequence[WatchState], access: Access, sinks: Sinks, timing: Timing) -> None:
        self._source = states[0].source
        self._states = {state.source.path: state for state in states}
        self._access = access
        self._sinks = sinks
        self._timing = timing
        self._registry = registry_of(self._source.kind, self._login)
        self._listings: dict[str, Listing] = {}

    async def run(self) -> None:
        """Watch until cancelled; no answer of a server ends it. Raises NotTakenError."""
        async with self._access.session() as session:
            while True:
                readable = [state for state in self._states.values() if await self._may_watch(state, session)]
                if readable:
                    await self._run_kopf(readable, session)
                    await asyncio.sleep(_RETRY_SECONDS)
                else:
                    await asyncio.sleep(self._pause())

    def _pause(self) -> float:
        if any(state.phase is Phase.LOST for state in self._states.values()):
            return _RETRY_SECONDS
        return self._timing.absent_pipelines if self._source.kind is PIPELINE else self._timing.refused

    async def _may_watch(self, state: WatchState, session: aiohttp.ClientSession) -> bool:
        try:
            await probe(session, self._access.server, state.source)
        except NotFound:
            self._refused(state, Phase.ABSENT, "the cluster doesn't know the kind")
        except Forbidden as error:
            self._refused(state, Phase.FORBIDDEN, str(error))
        except ApiError as error:
            self._lost(state, str(error))
        else:
            return True
        return False

    async def _run_kopf(self, states: Sequence[WatchState], session: aiohttp.ClientSession) -> None:
        """Run kopf until it ends, or more namespaces can be read than it was given."""
        names = [state.source.namespace for state in states if state.source.namespace is not None]
        tasks = await kopf.spawn_tasks(
            registry=self._registry,
            settings=kopf_settings(self._source, self._timing),
            clusterwide=not names,
            namespaces=names,
        )
        self._sinks.spawned()
        others = [state for state in self._states.values() if state not in states]
        more = asyncio.create_task(self._wait_for_any(others, session))
        try:
            await asyncio.wait([*tasks, more], return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Not kopf.run_tasks: at its end that cancels every task of the loop that is younger than itself.
            for task in (*tasks, more):
                task.cancel()
            ends = await asyncio.gather(*tasks, more, return_exceptions=True)
        for end in ends:
            if isinstance(end, NotTakenError):
                raise end
            if isinstance(end, Exception):
                self._ended(states, end)

    def _ended(self, states: Sequence[WatchState], error: Exception) -> None:
        """Tell that kopf has ended by itself, where what was lost isn't told yet."""
        message = (
            str(error) if isinstance(error, MalformedError) else f"kopf has ended ({type(error).__name__})"
        )
        for state in states:
            if state.phase is not Phase.LOST:
                self._lost(state, message)

    async def _wait_for_any(self, states: Sequence[WatchState], session: aiohttp.ClientSession) -> None:
        """Return once one of the states can be watched; never where there are none."""
        while True:
            await asyncio.sleep(self._timing.refused)
            if any([await self._may_watch(state, session) for state in states]):
                return

    async def _login(self) -> kopf.AiohttpSession:
        session = self._access.session([self._observe])
        return kopf.AiohttpSession(server=self._access.server, aiohttp_session=session)

    async def _observe(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        """Learn from kopf's own requests how its watches are doing."""
        state = self._states.get(request.url.raw_path)
        try:
            answer = await handler(request)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            if state is not None:
                self._lost(state, f"can't reach the API server ({type(error).__name__})")
            raise
        if state is not None:
            if answer.status == HTTPStatus.OK:
                self._take(state, answer)
            elif answer.status != HTTPStatus.GONE:
                self._lost(state, f"the API server answers {answer.status}")
        return answer

    def _take(self, state: WatchState, answer: aiohttp.ClientResponse) -> None:
        """Have the objects of an answer taken as kopf reads it."""
        path = state.source.path
        state.alive()
        if "watch" in answer.url.query:
            # kopf watches only from a list on whose last page it has read.
            self._listening(state)
            take_watch(answer, EventReader(self._see), state.alive)
            return
        if "continue" not in answer.url.query:
            self._listings[path] = Listing(
                self._see, lambda names, version: self._listed(state, names, version)
            )
        take_page(answer, self._listings[path])

    def _see(self, type_: str | None, obj: Object) -> None:
        with self._taking(f"{obj['metadata']['namespace']}/{obj['metadata']['name']}"):
            self._sinks.see(self._source.kind, type_, obj)

    def _listed(self, state: WatchState, names: Set[tuple[str, str]], version: str) -> None:
        self._listings.pop(state.source.path, None)
        with self._taking("the end of a list"):
            self._sinks.listed(state.source, names, version)

    @contextmanager
    def _taking(self, what: str) -> Iterator[None]:
        # kopf would log the error and go on without the event, and so without what it told.
        try:
            yield
        except Exception as error:
            _log.exception("can't be taken", watch=str(self._source), what=what)
            raise NotTakenError(f"{self._source}: {what}: {type(error).__name__}") from error

    def _enter(self, state: WatchState, phase: Phase, message: str = "") -> bool:
        is_new = state.enter(phase, message)
        if is_new:
            self._sinks.changed()
        return is_new

    def _listening(self, state: WatchState) -> None:
        was_refused = not state.synced and state.phase is not Phase.STARTING
        state.alive()
        state.synced = True
        if self._enter(state, Phase.LISTENING) and was_refused:
            _log.info("can be watched now", watch=str(state.source))
            self._sinks.found(state.source.kind)

    def _refused(self, state: WatchState, phase: Phase, message: str) -> None:
        state.alive()
        if not self._enter(state, phase, message):
            return
        if phase is Phase.FORBIDDEN:
            _log.warning("may not be watched; the rest goes on", watch=str(state.source), reason=message)
        elif state.source.kind is PIPELINE:
            _log.warning(
                "the cluster doesn't know RAGPipeline yet, waiting: apply what ragfleet crd prints",
                watch=str(state.source),
            )
        elif state.source.kind not in OPTIONAL:
            _log.warning("unknown to the cluster; the rest goes on", watch=str(state.source))

    def _lost(self, state: WatchState, message: str) -> None:
        if self._enter(state, Phase.LOST, message):
            _log.debug("a watch was lost", watch=str(state.source), reason=message)


def watches_of(
    states: Sequence[WatchState], access: Access, sinks: Sinks, timing: Timing
) -> tuple[KindWatch, ...]:
    """One watch for each kind and selector among the states."""
    groups: dict[tuple[Kind, str], list[WatchState]] = {}
    for state in states:
        groups.setdefault((state.source.kind, state.source.selector), []).append(state)
    return tuple(KindWatch(group, access, sinks, timing) for group in groups.values())
