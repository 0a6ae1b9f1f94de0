"""Plans as queries of Qdrant Edge."""

from __future__ import annotations

from typing import cast

import qdrant_edge as edge

from ragfleet_api.config.runtime import FusionConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.edge_config import search_params
from ragfleet_runtime.index.edge_filters import to_edge
from ragfleet_runtime.index.engine import DENSE, SPARSE
from ragfleet_runtime.index.plan import Plan
from ragfleet_runtime.index.shape import Shape

_ROUNDING = 1e-6
_DENSE_SCORE = "$score[0]"
_SPARSE_SCORE = "$score[1]"


def request_of(plan: Plan, shape: Shape, best: tuple[float, float] = (1.0, 1.0)) -> edge.QueryRequest:
    """The query of a plan that isn't empty.

    best: the best dense and the best sparse score of all points, which Weighted fusion divides by.
    """
    condition = None if plan.condition is None else to_edge(plan.condition)
    threshold = _threshold(plan.min_score)
    if plan.is_hybrid and plan.dense is not None and plan.sparse is not None:
        params = search_params(shape, plan.candidates)
        return edge.QueryRequest(
            limit=plan.limit,
            # Dense first: the weights and score variables below count on the order.
            prefetches=[
                edge.Prefetch(
                    limit=plan.candidates, query=_dense(plan.dense), filter=condition, params=params
                ),
                edge.Prefetch(limit=plan.candidates, query=_sparse(plan.sparse), filter=condition),
            ],
            query=_fusion(plan.fusion, best),
            score_threshold=threshold,
            with_payload=True,
        )
    if plan.dense is not None:
        return edge.QueryRequest(
            limit=plan.limit,
            query=_dense(plan.dense),
            filter=condition,
            score_threshold=threshold,
            params=search_params(shape, plan.limit),
            with_payload=True,
        )
    return edge.QueryRequest(
        limit=plan.limit,
        query=_sparse(plan.sparse or {}),
        filter=condition,
        score_threshold=threshold,
        with_payload=True,
    )


def best_scores(plan: Plan, shape: Shape) -> edge.QueryBatchRequest:
    """The query for the best dense and the best sparse score, each of the plan's filtered points."""
    condition = None if plan.condition is None else to_edge(plan.condition)
    return edge.QueryBatchRequest(
        [
            edge.QueryRequest(
                limit=1,
                query=_dense(plan.dense or []),
                filter=condition,
                params=search_params(shape, plan.candidates),
            ),
            edge.QueryRequest(limit=1, query=_sparse(plan.sparse or {}), filter=condition),
        ]
    )


def one_term(term: int) -> edge.QueryRequest:
    """The query for the best point of a term, with its weights."""
    return edge.QueryRequest(limit=1, query=_sparse({term: 1.0}), with_vector=[SPARSE])


def sparse_vector(vector: SparseVector) -> edge.SparseVector:
    """A sparse vector as the engine takes it."""
    return edge.SparseVector(list(vector.keys()), list(vector.values()))


def _threshold(min_score: float | None) -> float | None:
    """A little lower: the engine rounds to 32 bits and leaves out what equals the threshold."""
    return None if min_score is None else min_score - abs(min_score) * _ROUNDING


def _fusion(fusion: FusionConfig, best: tuple[float, float]) -> edge.Fusion | edge.Formula:
    if fusion.method == "DBSF":
        return cast(edge.Fusion, edge.Fusion.Dbsf())  # its type stubs don't say that it is one
    if fusion.method == "RRF":
        weights = [float(fusion.rrf_dense_weight), float(fusion.rrf_sparse_weight)]
        return cast(edge.Fusion, edge.Fusion.Rrf(fusion.rrf_k, weights))
    alpha = fusion.alpha_percent / 100
    dense, sparse = best
    return edge.Formula(
        edge.Expression.Sum(
            [
                edge.Expression.Mult(
                    [edge.Expression.Constant(_share(alpha, dense)), edge.Expression.Variable(_DENSE_SCORE)]
                ),
                edge.Expression.Mult(
                    [
                        edge.Expression.Constant(_share(1 - alpha, sparse)),
                        edge.Expression.Variable(_SPARSE_SCORE),
                    ]
                ),
            ]
        ),
        {_DENSE_SCORE: 0.0, _SPARSE_SCORE: 0.0},
    )


def _share(weight: float, best: float) -> float:
    """What a score is multiplied by; nothing counts where not even the best is above 0."""
    return weight / best if best > 0 else 0.0


def _dense(vector: Vector) -> edge.Query:
    return edge.Query.Nearest(vector, using=DENSE)


def _sparse(vector: SparseVector) -> edge.Query:
    return edge.Query.Nearest(sparse_vector(vector), using=SPARSE)
