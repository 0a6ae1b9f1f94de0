"""Collections on Qdrant Edge, one shard each, kept in a folder. Test code only: see ``qdrant_server``."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import qdrant_edge as edge
from qdrant_client.http import models as q

from support import qdrant_convert as convert

_CONFIG_FILE = "collection.json"
_SHARD_FOLDER = "shard"


class RefusedError(Exception):
    """The server refuses a request, with this status and these words."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class EdgeCollection:
    """One collection. Updates run one after another, as on a server's shard."""

    def __init__(self, folder: Path, config: dict[str, Any], shard: edge.EdgeShard) -> None:
        self._folder = folder
        self._config = config
        self._shard = shard
        self._lock = threading.Lock()
        self.is_strict = False

    @classmethod
    def make(cls, folder: Path, wanted: q.CreateCollection) -> EdgeCollection:
        """A new collection."""
        folder.mkdir(parents=True)
        shard = folder / _SHARD_FOLDER
        shard.mkdir()
        edge.EdgeShard.create(str(shard), convert.vectors_config(wanted)).close()
        made = cls(folder, wanted.model_dump(mode="json", exclude_none=True), edge.EdgeShard.load(str(shard)))
        made._save()
        return made

    @classmethod
    def load(cls, folder: Path) -> EdgeCollection:
        """A collection of an earlier run."""
        config = json.loads((folder / _CONFIG_FILE).read_text())
        return cls(folder, config, edge.EdgeShard.load(str(folder / _SHARD_FOLDER)))

    def close(self) -> None:
        """Flush and release it."""
        with self._lock:
            self._shard.flush()
            self._shard.close()

    def change(self, update: q.UpdateCollection) -> None:
        """Change settings, which are only kept and shown."""
        with self._lock:
            for name, value in update.model_dump(mode="json", exclude_none=True).items():
                if name == "params":
                    self._config.update(value)
                elif name == "quantization_config" and value == q.Disabled.DISABLED.value:
                    self._config.pop(name, None)
                elif name == "quantization_config":
                    self._config[name] = value
                elif name == "vectors":
                    for vector, settings in value.items():
                        self._config["vectors"][vector].update(settings)
                elif name in ("hnsw_config", "optimizers_config"):
                    self._config.setdefault(name, {}).update(value)
                else:
                    raise convert.UnknownError(f"a change of {name}")
            self._save()

    def info(self) -> q.CollectionInfo:
        """What the collection is, with the server's defaults for what wasn't given."""
        config = q.CreateCollection.model_validate(self._config)
        hnsw = {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000} | _given(config.hnsw_config)
        optimizer = {
            "default_segment_number": 0,
            "flush_interval_sec": 5,
            "indexing_threshold": 10000,
        } | _given(config.optimizers_config)
        return q.CollectionInfo(
            status=q.CollectionStatus.GREEN,
            optimizer_status=q.OptimizersStatusOneOf.OK,
            segments_count=1,
            points_count=self._shard.count(edge.CountRequest()),
            config=q.CollectionConfig(
                params=q.CollectionParams(
                    vectors=config.vectors or {},
                    sparse_vectors=config.sparse_vectors,
                    shard_number=config.shard_number or 1,
                    replication_factor=config.replication_factor or 1,
                ),
                hnsw_config=q.HnswConfig.model_validate(hnsw),
                optimizer_config=q.OptimizersConfig.model_validate(optimizer),
                quantization_config=config.quantization_config,
            ),
            payload_schema=self._schema(),
        )

    def index(self, wanted: q.CreateFieldIndex) -> None:
        """Make a payload index."""
        with self._lock:
            self._shard.update(
                edge.UpdateOperation.create_field_index(
                    wanted.field_name, convert.index_schema(wanted.field_schema)
                )
            )

    def drop_index(self, field: str) -> None:
        """Drop a payload index."""
        with self._lock:
            self._shard.update(edge.UpdateOperation.delete_field_index(field))

    def update(self, operation: Any) -> None:
        """Carry out one update."""
        with self._lock:
            self._shard.update(self._operation(operation))

    def _operation(self, operation: Any) -> edge.UpdateOperation:
        if isinstance(operation, q.PointsList):
            mode = operation.update_mode or q.UpdateMode.UPSERT
            return edge.UpdateOperation.upsert_points(
                [convert.point(one) for one in operation.points],
                convert.filter_(operation.update_filter),
                {
                    q.UpdateMode.UPSERT: edge.UpdateMode.Upsert,
                    q.UpdateMode.INSERT_ONLY: edge.UpdateMode.InsertOnly,
                    q.UpdateMode.UPDATE_ONLY: edge.UpdateMode.UpdateOnly,
                }[mode],
            )
        if isinstance(operation, q.PointIdsList):
            return edge.UpdateOperation.delete_points([convert.point_id(id_) for id_ in operation.points])
        if isinstance(operation, q.FilterSelector):
            self._require_indexes(operation.filter)
            found = convert.filter_(operation.filter)
            assert found is not None
            return edge.UpdateOperation.delete_points_by_filter(found)
        if isinstance(operation, q.UpdateVectors):
            ids = [convert.point_id(one.id) for one in operation.points]
            there = {str(one.id) for one in self._shard.retrieve(list(ids), False, False)}
            if missing := [id_ for id_ in ids if str(id_) not in there]:
                raise RefusedError(404, f"Not found: No point with id {missing[0]} found")
            return edge.UpdateOperation.update_vectors(
                [
                    edge.PointVectors(id_, convert.named_vectors(one.vector))
                    for id_, one in zip(ids, operation.points, strict=True)
                ]
            )
        raise convert.UnknownError(f"an update of {type(operation).__name__}")

    def query(self, requests: list[q.QueryRequest]) -> list[q.QueryResponse]:
        """Answer queries."""
        for request in requests:
            self._require_indexes(request.filter)
            prefetches = request.prefetch if isinstance(request.prefetch, list) else []
            for prefetch in prefetches:
                self._require_indexes(prefetch.filter)
        batch = edge.QueryBatchRequest([convert.query_request(request) for request in requests])
        return [
            q.QueryResponse(points=[convert.scored(one) for one in found])
            for found in self._shard.query_batch(batch)
        ]

    def retrieve(self, request: q.PointRequest) -> list[q.Record]:
        """Points by their ids."""
        found = self._shard.retrieve(
            [convert.point_id(id_) for id_ in request.ids],
            convert.with_payload(request.with_payload, default=True),
            request.with_vector or False,
        )
        return [convert.record(one) for one in found]

    def scroll(self, request: q.ScrollRequest) -> q.ScrollResult:
        """Points page by page."""
        self._require_indexes(request.filter)
        found, following = self._shard.scroll(convert.scroll_request(request))
        return q.ScrollResult(
            points=[convert.record(one) for one in found],
            next_page_offset=None if following is None else str(following),
        )

    def count(self, request: q.CountRequest) -> q.CountResult:
        """How many points pass."""
        self._require_indexes(request.filter)
        wanted = edge.CountRequest(exact=request.exact is not False, filter=convert.filter_(request.filter))
        return q.CountResult(count=self._shard.count(wanted))

    def facet(self, request: q.FacetRequest) -> q.FacetResponse:
        """How many points have each value of a field that is indexed."""
        self._require_indexes(request.filter)
        if request.key not in self._shard.info().payload_schema:
            raise RefusedError(400, f"Bad request: No appropriate index for faceting: `{request.key}`")
        wanted = edge.FacetRequest(
            request.key,
            limit=request.limit or 10,
            exact=request.exact or False,
            filter=convert.filter_(request.filter),
        )
        return q.FacetResponse(
            hits=[q.FacetValueHit(value=hit.value, count=hit.count) for hit in self._shard.facet(wanted)]
        )

    def _require_indexes(self, condition: q.Filter | None) -> None:
        """In strict mode, refuse a filter on a field without a fitting index, in the real server's words."""
        if not self.is_strict:
            return
        there = self._schema()
        for path, field in convert.fields(condition):
            wanted = _index_types(field)
            if path not in there or there[path].data_type.value not in wanted:
                raise RefusedError(
                    400,
                    f'Bad request: Index required but not found for "{path}" of one of the following types: '
                    f"[{', '.join(wanted)}]. Help: Create an index for this key or use a different filter.",
                )

    def _schema(self) -> dict[str, q.PayloadIndexInfo]:
        return {
            name: q.PayloadIndexInfo(
                data_type=q.PayloadSchemaType(str(one.data_type).rpartition(".")[2].lower()),
                points=one.points,
            )
            for name, one in self._shard.info().payload_schema.items()
        }

    def _save(self) -> None:
        (self._folder / _CONFIG_FILE).write_text(json.dumps(self._config))


def _given(model: q.HnswConfigDiff | q.OptimizersConfigDiff | None) -> dict[str, Any]:
    return {} if model is None else model.model_dump(exclude_none=True)


def _index_types(field: q.FieldCondition) -> list[str]:
    if isinstance(field.range, q.Range):
        return ["float", "integer"]
    if isinstance(field.range, q.DatetimeRange):
        return ["datetime"]
    value = field.match.value if isinstance(field.match, q.MatchValue) else None
    return ["integer"] if isinstance(value, int) else ["keyword"]
