"""The same work without a service around it: what the ratios compare with."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import qdrant_edge as edge

from ragfleet_runtime.index.bm25 import Analyzer, document_vector, query_vector
from ragfleet_runtime.index.engine import SPARSE, indexed_text, point_id
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.prepare import prepare_text

_BATCH = 256


@dataclass(frozen=True)
class Bare:
    """CPU and wall seconds of a loop, for each of its ``count`` rounds."""

    count: int
    cpu: float
    wall: float


def search(engine_folder: Path, questions: Sequence[str], *, count: int, limit: int) -> Bare:
    """Ask the engine in a loop what ``/search`` asks it: the same vectors, limit and payload."""
    analyzer = Analyzer("English")
    queries = [query_vector(analyzer.counts(question)) for question in questions]
    shard = edge.EdgeShard.load(str(engine_folder), _config())
    requests = [
        edge.QueryRequest(
            limit=limit,
            query=edge.Query.Nearest(edge.SparseVector(list(query), list(query.values())), using=SPARSE),
            with_payload=True,
        )
        for query in queries
    ]
    for request in requests:
        shard.query(request)
    cpu, wall = time.process_time(), time.perf_counter()
    for n in range(count):
        shard.query(requests[n % len(requests)])
    result = Bare(count, (time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)
    shard.close()
    return result


def ingest(folder: Path, documents: Sequence[dict[str, str]], chunking: ChunkSettings) -> Bare:
    """Parse, chunk, encode and upsert documents in a loop, in batches, flushed at the end."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shard = edge.EdgeShard.create(str(folder), _config())
    analyzer = Analyzer("English")
    cpu, wall = time.process_time(), time.perf_counter()
    points: list[edge.Point] = []
    for number, document in enumerate(documents):
        prepared = prepare_text(document["text"], chunking)
        for place, chunk in enumerate(prepared.chunks):
            text = prepared.parsed.text[chunk.start : chunk.end]
            vector = document_vector(analyzer.counts(indexed_text(document["title"], (), text)), 100.0)
            payload = {"document_id": document["id"], "title": document["title"], "text": text}
            sparse_vector = edge.SparseVector(list(vector), list(vector.values()))
            points.append(edge.Point(point_id(f"{number:024x}", place), {SPARSE: sparse_vector}, payload))
        if len(points) >= _BATCH:
            shard.update(edge.UpdateOperation.upsert_points(points))
            points = []
    if points:
        shard.update(edge.UpdateOperation.upsert_points(points))
    shard.flush()
    count = len(documents)
    result = Bare(count, (time.process_time() - cpu) / count, (time.perf_counter() - wall) / count)
    shard.close()
    return result


def _config() -> edge.EdgeConfig:
    sparse = {SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
    return edge.EdgeConfig(vectors={}, sparse_vectors=sparse, max_search_threads=1)
