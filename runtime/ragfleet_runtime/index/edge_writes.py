"""Writing to the embedded engine: what touches the shard's points, one call after another."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

import qdrant_edge as edge

from ragfleet_runtime.errors import StorageFullError
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.edge_payload import payload_of
from ragfleet_runtime.index.edge_place import EnginePlace
from ragfleet_runtime.index.edge_queries import sparse_vector
from ragfleet_runtime.index.edge_shard import ShardSlot, guard
from ragfleet_runtime.index.engine import DENSE, SPARSE, Point, point_id

# The engine writes through memory maps: a disk that fills up under it ends the process (SIGBUS), so that it
# is never let near. Its log takes two segments of 32 MiB; a batch and its index, some times its size.
_RESERVE_TO_WRITE = 128 * 2**20
_RESERVE_TO_DELETE = 16 * 2**20
_GROWTH = 16
_BYTES_A_NUMBER = 4


class EdgeWrites:
    """The writes. Every method blocks, and only one may run at a time."""

    def __init__(self, slot: ShardSlot, place: EnginePlace) -> None:
        self._slot = slot
        self._place = place
        self._journal: set[UUID] | None = None
        self.written = 0  # points, since the service started or the last rebuild

    def upsert(self, points: Sequence[Point]) -> None:
        """Write points."""
        made = [
            edge.Point(
                point_id(point.passage.revision, point.passage.number),
                _vectors(point),
                payload_of(point.passage),
            )
            for point in points
        ]
        size = sum(len(point.passage.text) + _BYTES_A_NUMBER * len(point.dense or ()) for point in points)
        self.require_room(_RESERVE_TO_WRITE + _GROWTH * size)
        self._note(point_id(point.passage.revision, point.passage.number) for point in points)
        self._update(edge.UpdateOperation.upsert_points(made))
        self.written += len(points)

    def delete(self, doomed: Sequence[UUID]) -> None:
        """Remove points; those that don't exist are passed over."""
        if not doomed:
            return
        self.require_room(_RESERVE_TO_DELETE)
        self._note(doomed)
        self._update(edge.UpdateOperation.delete_points(list(doomed)))
        self.written += len(doomed)

    def replace_vectors(self, vectors: Mapping[UUID, SparseVector]) -> None:
        """Give points other sparse vectors; those that were deleted since would fail the whole operation."""
        with self._slot.use() as shard:
            existing = guard(shard.retrieve, list(vectors), False, False)
        ids = [UUID(str(record.id)) for record in existing]
        if not ids:
            return
        self.require_room(_RESERVE_TO_WRITE)
        self._note(ids)
        made = [edge.PointVectors(id_, {SPARSE: sparse_vector(vectors[id_])}) for id_ in ids]
        self._update(edge.UpdateOperation.update_vectors(made))

    def flush(self) -> None:
        """Make everything written durable."""
        with self._slot.use() as shard:
            guard(shard.flush)

    def require_room(self, needed: int) -> None:
        """Raise StorageFullError where the disk has less than that many bytes free."""
        free = shutil.disk_usage(self._place.folder).free
        if free < needed:
            raise StorageFullError(
                f"the data folder's disk is full: {free // 2**20} MiB free, {needed // 2**20} MiB needed; "
                "free some space and try again"
            )

    def start_journal(self) -> None:
        """Note from now on which points are written."""
        self._journal = set()

    def take_journal(self) -> set[UUID]:
        """The points written since the start of the journal or the last call."""
        taken, self._journal = self._journal or set(), set()
        return taken

    def end_journal(self) -> None:
        """Note no more."""
        self._journal = None

    def _note(self, ids: Iterable[UUID]) -> None:
        if self._journal is not None:
            self._journal.update(ids)

    def _update(self, operation: edge.UpdateOperation) -> None:
        with self._slot.use() as shard:
            guard(shard.update, operation)


def _vectors(point: Point) -> dict[str, edge.SparseVector | list[float] | list[list[float]]]:
    vectors: dict[str, edge.SparseVector | list[float] | list[list[float]]] = {
        SPARSE: sparse_vector(point.sparse)
    }
    if point.dense is not None:
        vectors[DENSE] = point.dense
    return vectors
