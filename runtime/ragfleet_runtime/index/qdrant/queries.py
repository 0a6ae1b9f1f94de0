"""Plans as queries of a Qdrant server. Pure; the embedded engine's are in ``index.edge_queries``."""

from __future__ import annotations

from qdrant_client.http import models as q

from ragfleet_api.config.runtime import FusionConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.engine import DENSE, SPARSE
from ragfleet_runtime.index.plan import Plan
from ragfleet_runtime.index.qdrant.filters import to_filter
from ragfleet_runtime.index.shape import Shape

_ROUNDING = 1e-6
_DENSE_SCORE = "$score[0]"
_SPARSE_SCORE = "$score[1]"


def request_of(plan: Plan, shape: Shape, best: tuple[float, float] = (1.0, 1.0)) -> q.QueryRequest:
    """The query of a plan that isn't empty.

    best: the best dense and the best sparse score of all points, which Weighted fusion divides by.
    """
    condition = _filter(plan)
    threshold = _threshold(plan.min_score)
    if plan.is_hybrid and plan.dense is not None and plan.sparse is not None:
        return q.QueryRequest(
            limit=plan.limit,
            # Dense first: the weights and score variables below count on the order.
            prefetch=[
                q.Prefetch(
                    query=plan.dense,
                    using=DENSE,
                    filter=condition,
                    params=search_params(shape, plan.candidates),
                    limit=plan.candidates,
                ),
                q.Prefetch(
                    query=sparse_vector(plan.sparse), using=SPARSE, filter=condition, limit=plan.candidates
                ),
            ],
            query=_fusion(plan.fusion, best),
            score_threshold=threshold,
            with_payload=True,
        )
    if plan.dense is not None:
        query = _dense_request(plan.dense, condition, search_params(shape, plan.limit), plan.limit)
    else:
        query = _sparse_request(plan.sparse or {}, condition, plan.limit)
    return query.model_copy(update={"score_threshold": threshold, "with_payload": True})


def best_scores(plan: Plan, shape: Shape) -> list[q.QueryRequest]:
    """The queries for the best dense and the best sparse score, each of the plan's filtered points."""
    condition = _filter(plan)
    params = search_params(shape, plan.candidates)
    return [
        _dense_request(plan.dense or [], condition, params, 1),
        _sparse_request(plan.sparse or {}, condition, 1),
    ]


def one_term(term: int) -> q.QueryRequest:
    """The query for the best point of a term, with its weights."""
    return _sparse_request({term: 1.0}, None, 1).model_copy(update={"with_vector": [SPARSE]})


def search_params(shape: Shape, candidates: int) -> q.SearchParams:
    """How dense vectors are searched for that many candidates."""
    quantization = shape.index.quantization
    params = q.SearchParams(hnsw_ef=max(shape.index.hnsw.ef_search, candidates))
    if quantization is not None:
        params.quantization = q.QuantizationSearchParams(
            rescore=True, oversampling=quantization.oversampling_percent / 100
        )
    return params


def sparse_vector(vector: SparseVector) -> q.SparseVector:
    """A sparse vector as the server takes it."""
    return q.SparseVector(indices=list(vector.keys()), values=list(vector.values()))


def _dense_request(
    vector: Vector, condition: q.Filter | None, params: q.SearchParams, limit: int
) -> q.QueryRequest:
    return q.QueryRequest(query=vector, using=DENSE, filter=condition, params=params, limit=limit)


def _sparse_request(vector: SparseVector, condition: q.Filter | None, limit: int) -> q.QueryRequest:
    return q.QueryRequest(query=sparse_vector(vector), using=SPARSE, filter=condition, limit=limit)


def _filter(plan: Plan) -> q.Filter | None:
    return None if plan.condition is None else to_filter(plan.condition)


def _threshold(min_score: float | None) -> float | None:
    """A little lower: the engine rounds to 32 bits and leaves out what equals the threshold."""
    return None if min_score is None else min_score - abs(min_score) * _ROUNDING


def _fusion(fusion: FusionConfig, best: tuple[float, float]) -> q.Query:
    if fusion.method == "DBSF":
        return q.FusionQuery(fusion=q.Fusion.DBSF)
    if fusion.method == "RRF":
        weights = [float(fusion.rrf_dense_weight), float(fusion.rrf_sparse_weight)]
        return q.RrfQuery(rrf=q.Rrf(k=fusion.rrf_k, weights=weights))
    alpha = fusion.alpha_percent / 100
    dense, sparse = best
    return q.FormulaQuery(
        formula=q.SumExpression(
            sum=[
                q.MultExpression(mult=[_share(alpha, dense), _DENSE_SCORE]),
                q.MultExpression(mult=[_share(1 - alpha, sparse), _SPARSE_SCORE]),
            ]
        ),
        defaults={_DENSE_SCORE: 0.0, _SPARSE_SCORE: 0.0},
    )


def _share(weight: float, best: float) -> float:
    """What a score is multiplied by; nothing counts where not even the best is above 0."""
    return weight / best if best > 0 else 0.0
