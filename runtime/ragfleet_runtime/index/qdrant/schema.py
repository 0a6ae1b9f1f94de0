"""The two collections of a pipeline on a Qdrant server, made and kept in line by every replica at its start.

Nothing is locked: each step is one that any number of replicas may take at once. Nothing that is there is
changed before its owner is known.
"""

from __future__ import annotations

import structlog
from qdrant_client.http import models as q

from ragfleet_api.config.store import StoreConfig
from ragfleet_runtime.errors import EngineError, StartError
from ragfleet_runtime.index.qdrant.client import Server
from ragfleet_runtime.index.qdrant.desired import (
    DOCUMENT_FIELDS,
    Fields,
    chunk_collection,
    chunk_fields,
    difference,
    document_collection,
    schema_type,
)
from ragfleet_runtime.index.qdrant.faults import NotThereError
from ragfleet_runtime.index.shape import Shape

DOCUMENTS_SUFFIX = "--documents"

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Schema:
    """The collections of one pipeline."""

    def __init__(self, server: Server, store: StoreConfig, shape: Shape) -> None:
        if store.qdrant is None:
            raise ValueError("the vector store isn't a Qdrant server")
        self.chunks = store.collection
        self.documents = store.collection + DOCUMENTS_SUFFIX
        self._server = server
        self._wanted = {
            self.documents: document_collection(store.qdrant),
            self.chunks: chunk_collection(shape, store.qdrant),
        }
        self._fields = {
            self.documents: DOCUMENT_FIELDS,
            self.chunks: chunk_fields(shape.index.metadata),
        }

    async def refuse_aliases(self) -> None:
        """Raise StartError where an alias has the name of one of the collections."""
        answer = await self._server.call(
            "looking for aliases", lambda api: api.aliases_api.get_collections_aliases()
        )
        for alias in [] if answer.result is None else answer.result.aliases:
            if alias.alias_name in self._wanted:
                raise StartError(
                    f"{alias.alias_name} is an alias of the collection {alias.collection_name} on the Qdrant "
                    "server: take the alias away, or choose another name with spec.vectorStore.collection"
                )

    async def points(self, collection: str) -> int | None:
        """How many points there are in one of the collections; None where it isn't there."""
        try:
            answer = await self._server.call(
                "looking at the collection",
                lambda api: api.points_api.count_points(collection, count_request=q.CountRequest(exact=True)),
            )
        except NotThereError:
            return None
        return 0 if answer.result is None else answer.result.count

    async def make(self) -> None:
        """Make what isn't there. Raises StartError where what is there is of another make."""
        for name, wanted in self._wanted.items():
            if await self._info(name) is None:
                await self._make(name, wanted)
            found = await self._existing(name)
            if fixed := difference(found, wanted).fixed:
                raise StartError(
                    f"the collection {name} on the Qdrant server is of another make: {'; '.join(fixed)}; "
                    "choose another name with spec.vectorStore.collection, or delete it there"
                )

    async def reconcile(self) -> None:
        """Bring settings and indexes in line. Call it only for collections of ours."""
        for name, wanted in self._wanted.items():
            info = await self._existing(name)
            found = difference(info, wanted)
            for note in found.notes:
                log.warning("a setting differs on the server", collection=name, reason=note)
            if found.update is not None:
                await self._update(name, found.update)
            await self._index(name, info, self._fields[name])

    async def _info(self, name: str) -> q.CollectionInfo | None:
        try:
            answer = await self._server.call(
                "looking at the collection", lambda api: api.collections_api.get_collection(name)
            )
        except NotThereError:
            return None
        return answer.result

    async def _existing(self, name: str) -> q.CollectionInfo:
        info = await self._info(name)
        if info is None:
            raise EngineError(f"the collection {name} vanished from the Qdrant server at the start")
        return info

    async def _make(self, name: str, wanted: q.CreateCollection) -> None:
        try:
            await self._server.call(
                "making the collection",
                lambda api: api.collections_api.create_collection(name, create_collection=wanted),
            )
        except EngineError:
            if await self._info(name) is None:
                raise
            return  # another replica was first
        log.info("collection made", collection=name)

    async def _update(self, name: str, update: q.UpdateCollection) -> None:
        await self._server.call(
            "changing the collection",
            lambda api: api.collections_api.update_collection(name, update_collection=update),
        )
        changed = sorted(update.model_dump(exclude_none=True))
        log.info("collection changed", collection=name, settings=changed)

    async def _index(self, name: str, info: q.CollectionInfo, fields: Fields) -> None:
        for field, schema in fields.items():
            found = info.payload_schema.get(field)
            if found is not None and found.data_type == schema_type(schema):
                continue
            if found is not None:
                await self._drop_index(name, field)
            await self._make_index(name, q.CreateFieldIndex(field_name=field, field_schema=schema))
            log.info("payload index made", collection=name, field=field)

    async def _make_index(self, name: str, index: q.CreateFieldIndex) -> None:
        await self._server.call(
            "indexing payloads",
            lambda api: api.indexes_api.create_field_index(name, wait=True, create_field_index=index),
        )

    async def _drop_index(self, name: str, field: str) -> None:
        await self._server.call(
            "indexing payloads", lambda api: api.indexes_api.delete_field_index(name, field, wait=True)
        )
