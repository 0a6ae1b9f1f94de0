"""The engine as a whole."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence, Set
from typing import Final

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.errors import Forbidden, NotFound
from ragfleet_operator.engine.poll import Poller, service_address
from ragfleet_operator.engine.queue import KeyQueue, Observer
from ragfleet_operator.engine.reconciler import Reconciler
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.engine.writes import Writes, always
from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, OPTIONAL, PIPELINE, SECRET, Kind
from ragfleet_operator.model import Key, Object, Settings
from ragfleet_operator.names import PIPELINE_LABEL, WATCH_LABEL

_WATCHED_KINDS: Final = (SECRET, CONFIG_MAP)
_WATCHED: Final = f"{WATCH_LABEL}=true"

# A rollout tells its progress in several steps: one pass for some of them.
_CHILD_SECONDS: Final = 0.15


class Engine:
    """Takes what is seen in the cluster, and works on it. unlisted: kinds that can't be read."""

    def __init__(
        self,
        cluster: Cluster,
        cache: Cache,
        watched: Watched,
        queue: KeyQueue,
        poller: Poller,
        reconciler: Reconciler,
        workers: int,
    ) -> None:
        self.cache = cache
        self.watched = watched
        self.queue = queue
        self.poller = poller
        self.reconciler = reconciler
        self.unlisted: dict[Kind, str] = {}
        self._cluster = cluster
        self._workers = workers

    def see(self, kind: Kind, type_: str | None, obj: Object) -> None:
        """Take one watch event (type_: None in a first list), and have whom it concerns looked at."""
        for key, seconds in self.remember(kind, type_, obj).items():
            self.queue.add(key, seconds)

    def remember(self, kind: Kind, type_: str | None, obj: Object) -> dict[Key, float]:
        """Take one watch event; whom it concerns, and for how many seconds each of them can wait."""
        labels = obj["metadata"].get("labels") or {}
        concerned: dict[Key, float] = {}
        if kind == PIPELINE or PIPELINE_LABEL in labels:
            key = self.cache.see(kind, type_, obj)
            if key is not None:
                concerned[key] = 0.0 if kind == PIPELINE else _CHILD_SECONDS
        if kind in _WATCHED_KINDS and labels.get(WATCH_LABEL) == "true":
            concerned.update(dict.fromkeys(self.watched.see(kind, type_, obj), 0.0))
        return concerned

    def keep_only(
        self, kind: Kind, namespace: str | None, selector: str, names: Set[tuple[str, str]], version: str
    ) -> set[Key]:
        """Take out what a list with a selector didn't hold, all of which was taken; whom that concerns.

        names: namespace and name of each object that it held. version: of the list.
        """
        if selector == _WATCHED:
            return self.watched.keep_only(kind, namespace, names)
        return self.cache.keep_only(kind, namespace, names, version)

    async def fill(self, namespaces: Sequence[str] | None) -> None:
        """Read all that there is, in some namespaces or (None) the cluster; have every pipeline looked at.

        Raises ApiError: without the pipelines nothing can be done, and kinds of children that can't be read
        are in ``unlisted`` then.
        """
        present = await self._cluster.kinds_present()
        for kind in (PIPELINE, *(kind for kind in CHILDREN if kind not in OPTIONAL or kind in present)):
            await self.relist(kind, namespaces)
        self._add(self.cache.pipelines())

    async def relist(self, kind: Kind, namespaces: Sequence[str] | None) -> None:
        """Compare what we know of a kind with what there is. Raises ApiError, Forbidden only of pipelines."""
        try:
            for namespace in (None,) if namespaces is None else namespaces:
                await self._relist(kind, namespace)
        except (Forbidden, NotFound) as error:
            if kind == PIPELINE:
                raise
            self.unlisted[kind] = str(error)
        else:
            self.unlisted.pop(kind, None)

    async def run(self) -> None:
        """Work until closed, then for ten seconds at most on what is begun."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.queue.run(self.reconciler.reconcile, self._workers))
            group.create_task(self.poller.run())

    def close(self) -> None:
        """Begin nothing more."""
        self.queue.close()
        self.poller.close()

    async def _relist(self, kind: Kind, namespace: str | None) -> None:
        selector = "" if kind == PIPELINE else PIPELINE_LABEL
        objects, version = await self._cluster.list(kind, namespace, selector)
        self._add(self.cache.replace(kind, namespace, objects, version))
        if kind in _WATCHED_KINDS:
            objects, _ = await self._cluster.list(kind, namespace, _WATCHED)
            self._add(self.watched.replace(kind, namespace, objects))

    def _add(self, keys: Sequence[Key] | set[Key]) -> None:
        for key in keys:
            self.queue.add(key)


def make_engine(
    cluster: Cluster,
    settings: Settings,
    *,
    may_write: Callable[[], bool] = always,
    observer: Observer | None = None,
    address: Callable[[Key], str] = service_address,
    workers: int = 16,
) -> Engine:
    """An engine on a cluster. may_write: asked before each write. address: of a service's admin port."""
    cache, watched = Cache(), Watched()
    queue = KeyQueue(observer=observer)
    poller = Poller(cluster, queue.add, address=address)
    writes = Writes(cluster, cache, may_write, at_once=workers)
    reconciler = Reconciler(
        cluster, cache, watched, writes, poller, settings, is_busy=lambda: queue.depth > workers
    )
    return Engine(cluster, cache, watched, queue, poller, reconciler, workers)
