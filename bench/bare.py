"""The same work without a service around it: what the ratios compare with."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import cast

os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # as the service has it, before its library is imported

import qdrant_edge as edge
from fastembed import TextEmbedding

from ragfleet_runtime.index.bm25 import Analyzer, document_vector, query_vector
from ragfleet_runtime.index.engine import DENSE, SPARSE, indexed_text, point_id
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.prepare import prepare_text

_BATCH = 256
_CANDIDATES = 200
_DIMENSIONS = 384


@dataclass(frozen=True)
class Bare:
    """CPU and wall seconds of a loop, for each of its ``count`` rounds."""

    count: int
    cpu: float
    wall: float


class BareSearch(AbstractContextManager["BareSearch"]):
    """A loop over the engine alone, in a copy of a service's engine folder."""

    def __init__(self, folder: Path, questions: Sequence[str], top_k: int) -> None:
        self._shard = edge.EdgeShard.load(str(folder), self._config())
        self._questions = questions
        self._limit = top_k + 2  # what /search asks the engine for
        self._analyzer = Analyzer("English")

    def __exit__(self, *_: object) -> None:
        self._shard.close()

    def run(self, count: int) -> float:
        """CPU seconds of one round of ``count``."""
        cpu = time.process_time()
        for n in range(count):
            self._ask(n % len(self._questions))
        return (time.process_time() - cpu) / count

    def _config(self) -> edge.EdgeConfig:
        return _config()

    def _ask(self, n: int) -> None:
        raise NotImplementedError

    def _sparse(self, question: str) -> edge.Query:
        query = query_vector(self._analyzer.counts(question))
        return edge.Query.Nearest(edge.SparseVector(list(query), list(query.values())), using=SPARSE)


class BareSparse(BareSearch):
    """What the engine does for ``/search`` by BM25: the same vectors, limit and payload."""

    def __init__(self, folder: Path, questions: Sequence[str], top_k: int) -> None:
        super().__init__(folder, questions, top_k)
        self._requests = [
            edge.QueryRequest(limit=self._limit, query=self._sparse(question), with_payload=True)
            for question in questions
        ]

    def _ask(self, n: int) -> None:
        self._shard.query(self._requests[n])


class BareHybrid(BareSearch):
    """What model and engine do for a hybrid ``/search``: the question's vector, then the fused query with it.

    The terms of the questions are analysed beforehand.
    """

    def __init__(self, folder: Path, questions: Sequence[str], top_k: int) -> None:
        super().__init__(folder, questions, top_k)
        self._model = TextEmbedding(
            "sentence-transformers/all-MiniLM-L6-v2",
            specific_model_path="../shared/models/all-MiniLM-L6-v2-onnx-int8",
            threads=1,
        )
        self._terms = [
            edge.Prefetch(limit=_CANDIDATES, query=self._sparse(question)) for question in questions
        ]

    def _config(self) -> edge.EdgeConfig:
        return _config({DENSE: edge.EdgeVectorParams(size=_DIMENSIONS, distance=edge.Distance.Cosine)})

    def _ask(self, n: int) -> None:
        vector = next(iter(self._model.embed([self._questions[n]]))).tolist()
        meaning = edge.Prefetch(
            limit=_CANDIDATES,
            query=edge.Query.Nearest(vector, using=DENSE),
            params=edge.SearchParams(hnsw_ef=_CANDIDATES),
        )
        request = edge.QueryRequest(
            limit=self._limit,
            prefetches=[meaning, self._terms[n]],
            query=cast(edge.Fusion, edge.Fusion.Dbsf()),
            with_payload=True,
        )
        self._shard.query(request)


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


def _config(vectors: dict[str, edge.EdgeVectorParams] | None = None) -> edge.EdgeConfig:
    sparse = {SPARSE: edge.EdgeSparseVectorParams(modifier=edge.Modifier.Idf)}
    return edge.EdgeConfig(vectors=vectors or {}, sparse_vectors=sparse, max_search_threads=1)
