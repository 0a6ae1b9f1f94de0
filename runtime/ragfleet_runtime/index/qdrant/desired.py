"""The collections that the service wants on a Qdrant server, and how those that are there differ. Pure.

Flags such as ``on_disk`` and ``always_ram`` are deprecated in favour of ``memory`` since 1.19; they are what
every supported server knows.
"""

from __future__ import annotations

from dataclasses import dataclass

from qdrant_client.http import models as q

from ragfleet_api.config.store import IndexConfig, MetadataIndexConfig, QdrantConfig, QuantizationConfig
from ragfleet_runtime.index.edge_filters import DOCUMENT_KEY, FLAGS, METADATA
from ragfleet_runtime.index.engine import DENSE, SPARSE
from ragfleet_runtime.index.qdrant.filters import paths
from ragfleet_runtime.index.shape import Shape

Schema = q.PayloadSchemaType
Fields = dict[str, q.PayloadFieldSchema]

# Below this size, in kilobytes, a filtered search looks at every vector that passes rather than at the graph.
_FULL_SCAN_KILOBYTES = 10_000

DOCUMENT_FIELDS: Fields = {
    "type": Schema.KEYWORD,
    "revision": Schema.KEYWORD,
    "state": Schema.KEYWORD,
    "recipe": Schema.KEYWORD,
    "chunks": Schema.INTEGER,
    "terms": Schema.INTEGER,
    "created_at": Schema.FLOAT,
}

_SCHEMAS: dict[str, q.PayloadSchemaType] = {
    "Keyword": Schema.KEYWORD,
    # Filters on numbers are ranges, and an index of integers would leave out 2025.0.
    "Float": Schema.FLOAT,
    "Bool": Schema.KEYWORD,  # booleans are kept as text
    "Datetime": Schema.DATETIME,
}


@dataclass(frozen=True, slots=True)
class Difference:
    """What a collection must be changed by. ``fixed`` says what can't be changed, and must be refused."""

    update: q.UpdateCollection | None
    fixed: tuple[str, ...]
    notes: tuple[str, ...]


def chunk_collection(shape: Shape, qdrant: QdrantConfig) -> q.CreateCollection:
    """The collection of chunks."""
    vectors: dict[str, q.VectorParams] = {}
    if shape.dimensions is not None:
        vectors[DENSE] = q.VectorParams(
            size=shape.dimensions, distance=_distance(shape), on_disk=shape.index.hnsw.on_disk
        )
    return q.CreateCollection(
        vectors=vectors,
        sparse_vectors={SPARSE: q.SparseVectorParams(modifier=q.Modifier.IDF)},
        hnsw_config=_hnsw(shape.index) if vectors else None,
        quantization_config=_quantization(shape.index.quantization) if vectors else None,
        optimizers_config=_optimizers(shape.index),
        shard_number=qdrant.shards,
        replication_factor=qdrant.replication_factor,
    )


def document_collection(qdrant: QdrantConfig) -> q.CreateCollection:
    """The collection of documents: payloads without vectors."""
    return q.CreateCollection(
        vectors={}, shard_number=qdrant.shards, replication_factor=qdrant.replication_factor
    )


def chunk_fields(metadata: tuple[MetadataIndexConfig, ...]) -> Fields:
    """The indexes on payloads of chunks: what the service filters by, and what the pipeline names."""
    fields: Fields = {
        # No filter is made of these two alone: links between one document's vectors would be of no use.
        DOCUMENT_KEY: q.KeywordIndexParams(type=q.KeywordIndexType.KEYWORD, enable_hnsw=False),
        "tenant": q.KeywordIndexParams(type=q.KeywordIndexType.KEYWORD, is_tenant=True),
    }
    for index in metadata:
        root = FLAGS if index.type == "Bool" else METADATA
        fields.update(dict.fromkeys(paths(root, index.key), _SCHEMAS[index.type]))
    return fields


def schema_type(schema: q.PayloadFieldSchema) -> q.PayloadSchemaType:
    """The type of an index, without its parameters."""
    return schema if isinstance(schema, q.PayloadSchemaType) else Schema(schema.type.value)


def difference(info: q.CollectionInfo, wanted: q.CreateCollection) -> Difference:
    """How a collection differs from the one wanted."""
    config, params = info.config, info.config.params
    fixed = [*_vector_differences(params, wanted), *_sparse_differences(params, wanted)]
    notes: list[str] = []
    if params.shard_number != wanted.shard_number:
        notes.append(
            f"the collection has {params.shard_number} shards, not {wanted.shard_number}: "
            "spec.vectorStore.qdrant.shards counts when a collection is made"
        )
    changes: dict[str, object] = {}
    if params.replication_factor != wanted.replication_factor:
        changes["params"] = q.CollectionParamsDiff(replication_factor=wanted.replication_factor)
        notes.append(
            f"the replication factor becomes {wanted.replication_factor}: "
            "Qdrant makes or removes copies of shards only when it is told to"
        )
    if wanted.hnsw_config is not None and _differs(config.hnsw_config, wanted.hnsw_config):
        changes["hnsw_config"] = wanted.hnsw_config
    if wanted.optimizers_config is not None and _differs(config.optimizer_config, wanted.optimizers_config):
        changes["optimizers_config"] = wanted.optimizers_config
    if config.quantization_config != wanted.quantization_config:
        changes["quantization_config"] = wanted.quantization_config or q.Disabled.DISABLED
    if (on_disk := _on_disk_difference(params, wanted)) is not None:
        changes["vectors"] = {DENSE: q.VectorParamsDiff(on_disk=on_disk)}
    update = q.UpdateCollection.model_validate(changes) if changes else None
    return Difference(update, tuple(fixed), tuple(notes))


def _vector_differences(params: q.CollectionParams, wanted: q.CreateCollection) -> list[str]:
    found, want = _vectors(params.vectors), _vectors(wanted.vectors)
    if found.keys() != want.keys():
        return [f"it has the dense vectors {sorted(found) or 'none'}, not {sorted(want) or 'none'}"]
    return [
        f"its vectors {name} have {found[name].size} dimensions and distance {found[name].distance}, "
        f"not {one.size} and {one.distance}"
        for name, one in want.items()
        if (found[name].size, found[name].distance) != (one.size, one.distance)
    ]


def _sparse_differences(params: q.CollectionParams, wanted: q.CreateCollection) -> list[str]:
    found, want = params.sparse_vectors or {}, wanted.sparse_vectors or {}
    kinds = {name: one.modifier for name, one in found.items()}
    if kinds != {name: one.modifier for name, one in want.items()}:
        return [f"it has the sparse vectors {sorted(kinds) or 'none'}, not {sorted(want) or 'none'} with IDF"]
    return []


def _on_disk_difference(params: q.CollectionParams, wanted: q.CreateCollection) -> bool | None:
    found, want = _vectors(params.vectors).get(DENSE), _vectors(wanted.vectors).get(DENSE)
    if found is None or want is None or bool(found.on_disk) == bool(want.on_disk):
        return None
    return bool(want.on_disk)


def _vectors(vectors: q.VectorsConfig | None) -> dict[str, q.VectorParams]:
    if vectors is None:
        return {}
    return {"": vectors} if isinstance(vectors, q.VectorParams) else vectors


def _differs(
    found: q.HnswConfig | q.OptimizersConfig, wanted: q.HnswConfigDiff | q.OptimizersConfigDiff
) -> bool:
    """Whether a setting that is wanted isn't so; a flag that the server leaves out is off."""
    return any(
        (getattr(found, name) or False) != value
        for name, value in wanted.model_dump(exclude_none=True).items()
    )


def _distance(shape: Shape) -> q.Distance:
    return q.Distance.DOT if shape.dot else q.Distance.COSINE


def _hnsw(index: IndexConfig) -> q.HnswConfigDiff:
    return q.HnswConfigDiff(
        m=index.hnsw.m,
        ef_construct=index.hnsw.ef_construct,
        full_scan_threshold=_FULL_SCAN_KILOBYTES,
        on_disk=index.hnsw.on_disk,
    )


def _optimizers(index: IndexConfig) -> q.OptimizersConfigDiff:
    return q.OptimizersConfigDiff(
        indexing_threshold=index.indexing_threshold_kilobytes, default_segment_number=index.segments
    )


def _quantization(config: QuantizationConfig | None) -> q.QuantizationConfig | None:
    if config is None:
        return None
    if config.type == "Scalar":
        scalar = q.ScalarQuantizationConfig(type=q.ScalarType.INT8, always_ram=config.always_in_memory)
        return q.ScalarQuantization(scalar=scalar)
    return q.BinaryQuantization(binary=q.BinaryQuantizationConfig(always_ram=config.always_in_memory))
