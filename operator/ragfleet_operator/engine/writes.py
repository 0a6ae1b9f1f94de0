"""The one way to write: only while we may, some at a time, and what is answered is known from then on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.cluster import Cluster
from ragfleet_operator.engine.errors import NotFound, NotLeadingError
from ragfleet_operator.kinds import PIPELINE, Kind
from ragfleet_operator.model import Key, Object
from ragfleet_operator.names import FIELD_MANAGER


def always() -> bool:
    """An operator that is alone may always write."""
    return True


class Writes:
    """A cluster's writes. Each raises NotLeadingError where ``may_write`` says no, and errors.ApiError.

    at_once: how many are on their way at most.
    """

    def __init__(
        self, cluster: Cluster, cache: Cache, may_write: Callable[[], bool] = always, *, at_once: int = 16
    ) -> None:
        self._cluster = cluster
        self._cache = cache
        self._may_write = may_write
        self._slots = asyncio.Semaphore(at_once)

    async def apply(
        self,
        kind: Kind,
        namespace: str,
        manifest: Object,
        *,
        manager: str = FIELD_MANAGER,
        force: bool = False,
    ) -> Object:
        """See Cluster.apply."""
        async with self._turn():
            answer = await self._cluster.apply(kind, namespace, manifest, manager=manager, force=force)
        self._cache.expect(kind, answer)
        return answer

    async def create(self, kind: Kind, namespace: str, manifest: Object) -> Object:
        """See Cluster.create."""
        async with self._turn():
            answer = await self._cluster.create(kind, namespace, manifest)
        self._cache.expect(kind, answer)
        return answer

    async def delete(self, kind: Kind, namespace: str, obj: Object) -> None:
        """Delete an object in the very state in which it was seen; one that is gone is well."""
        metadata = obj["metadata"]
        try:
            async with self._turn():
                await self._cluster.delete(
                    kind,
                    namespace,
                    metadata["name"],
                    uid=metadata["uid"],
                    version=metadata["resourceVersion"],
                )
        except NotFound:
            self._cache.forget(kind, namespace, metadata["name"])

    async def patch_status(self, key: Key, patch: Object, *, uid: str, version: str) -> Object:
        """See Cluster.patch_status."""
        async with self._turn():
            answer = await self._cluster.patch_status(key, patch, uid=uid, version=version)
        self._cache.expect(PIPELINE, answer)
        return answer

    async def post_event(self, namespace: str, event: Object) -> None:
        """See Cluster.post_event."""
        async with self._turn():
            await self._cluster.post_event(namespace, event)

    @asynccontextmanager
    async def _turn(self) -> AsyncIterator[None]:
        async with self._slots:
            if not self._may_write():
                raise NotLeadingError("this operator isn't the one that writes")
            yield
