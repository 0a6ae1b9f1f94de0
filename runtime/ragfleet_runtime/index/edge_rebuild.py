"""Rebuilding the embedded engine's index beside the traffic.

1. The folder is copied, between two writes; from here a journal notes which points are written.
2. A process of its own builds the indexes of the copy.
3. The points of the journal are carried over: in rounds while there are many, the last between two writes.
4. The copy is put in use. Searches that run on the old folder end there.

A crash at any step leaves the old folder or the new one in use, each whole.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from uuid import UUID

import orjson
import qdrant_edge as edge
import structlog

from ragfleet_runtime.index.edge_build import build
from ragfleet_runtime.index.edge_config import edge_config
from ragfleet_runtime.index.edge_place import Built, EnginePlace
from ragfleet_runtime.index.edge_shard import ShardSlot, guard
from ragfleet_runtime.index.edge_writes import EdgeWrites
from ragfleet_runtime.index.shape import Shape
from ragfleet_runtime.lanes import Lane

_BYTES_A_NUMBER = 4
_WORTH_REBUILDING = 0.05  # share of the points that is new
_SPARSE_POINTS = 20_000  # without dense vectors a rebuild gains memory alone
_SPARSE_SHARE = 0.5
_FEW = 2_000
_BATCH = 256
_RESERVE = 256 * 2**20

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Rebuild:
    """Decides when the index is to be built again, and does it."""

    def __init__(
        self, writes: EdgeWrites, slot: ShardSlot, place: EnginePlace, shape: Shape, writing: Lane
    ) -> None:
        self._writes = writes
        self._slot = slot
        self._place = place
        self._shape = shape
        self._writing = writing
        self._carrying = Lane("rebuild", 1)

    def is_needed(self, points: int) -> bool:
        """Whether the settings are others than those of the last build, or much was written since."""
        built = self._place.built
        if built.settings and built.settings != settings_of(self._shape):
            return True
        written = max(self._writes.written, abs(points - built.points))
        return written >= worth_rebuilding(self._shape, built.points)

    async def run(self, points: int) -> bool:
        """Build the index of what is written so far; False where the disk has no room for it.

        Raises EngineError where the build fails.
        """
        folder = self._place.next_folder()
        if not await self._writing.run(self._copy, folder):
            return False
        fresh: edge.EdgeShard | None = None
        try:
            await build(folder, self._shape)
            config = edge_config(self._shape)
            fresh = await self._carrying.run(guard, edge.EdgeShard.load, str(folder), config)
            while len(touched := await self._writing.run(self._writes.take_journal)) > _FEW:
                await self._carrying.run(self._carry_over, fresh, list(touched))
            await self._writing.run(self._switch, fresh, folder, list(touched), points)
        except BaseException:
            await self._carrying.run(_discard, fresh, folder)
            raise
        finally:
            self._writes.end_journal()
        return True

    def close(self) -> None:
        """End the thread."""
        self._carrying.close()

    def _copy(self, folder: Path) -> bool:
        needed = _RESERVE + 2 * self._place.size()
        free = shutil.disk_usage(self._place.folder).free
        if free < needed:
            log.warning("index not rebuilt: not enough room on the disk", needed_mib=needed // 2**20)
            return False
        self._writes.flush()
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self._place.folder, folder)
        self._writes.start_journal()
        self._writes.written = 0
        return True

    def _carry_over(self, fresh: edge.EdgeShard, touched: Sequence[UUID]) -> None:
        for ids in _batches(touched):
            with self._slot.use() as shard:
                found = guard(shard.retrieve, list(ids), True, True)
            kept = {UUID(str(record.id)) for record in found}
            if found:
                points = [edge.Point(record.id, record.vector or {}, record.payload) for record in found]
                guard(fresh.update, edge.UpdateOperation.upsert_points(points))
            gone: list[edge.PointId] = [id_ for id_ in ids if id_ not in kept]
            if gone:
                guard(fresh.update, edge.UpdateOperation.delete_points(gone))

    def _switch(self, fresh: edge.EdgeShard, folder: Path, touched: Sequence[UUID], points: int) -> None:
        self._carry_over(fresh, touched)
        guard(fresh.flush)
        self._place.switch(folder, Built(settings_of(self._shape), points))
        self._slot.replace(fresh, self._place.remove_others)


def settings_of(shape: Shape) -> str:
    """The settings that a built index depends on, as text to compare."""
    if shape.dimensions is None:
        return orjson.dumps({"segments": shape.index.segments}).decode()
    built = shape.index.model_dump(mode="json", exclude={"metadata": True, "hnsw": {"ef_search": True}})
    return orjson.dumps(built, option=orjson.OPT_SORT_KEYS).decode()


def worth_rebuilding(shape: Shape, points: int) -> int:
    """How many new points make a rebuild of a collection of ``points`` worth its while."""
    if shape.dimensions is None:
        return max(_SPARSE_POINTS, int(_SPARSE_SHARE * points))
    unindexed = shape.index.indexing_threshold_kilobytes * 1024 // (shape.dimensions * _BYTES_A_NUMBER)
    return max(1, unindexed, int(_WORTH_REBUILDING * points))


def _discard(shard: edge.EdgeShard | None, folder: Path) -> None:
    if shard is not None:
        guard(shard.close)
    shutil.rmtree(folder, ignore_errors=True)


def _batches(ids: Sequence[UUID]) -> Iterator[list[UUID]]:
    rest = iter(ids)
    while batch := list(islice(rest, _BATCH)):
        yield batch
