"""Qdrant's REST models as objects of Qdrant Edge, and back. Test code only: see ``qdrant_server``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import qdrant_edge as edge
from qdrant_client.http import models as q


class UnknownError(Exception):
    """A request uses something of the API that this server doesn't speak."""


def vectors_config(wanted: q.CreateCollection) -> edge.EdgeConfig:
    """An engine's configuration; one without vectors gets a sparse one that nobody uses."""
    vectors = wanted.vectors or {}
    if isinstance(vectors, q.VectorParams):
        raise UnknownError("a vector without a name")
    sparse = {
        name: edge.EdgeSparseVectorParams(
            modifier=edge.Modifier.Idf if one.modifier is q.Modifier.IDF else None
        )
        for name, one in (wanted.sparse_vectors or {}).items()
    }
    if not vectors and not sparse:
        sparse = {"none": edge.EdgeSparseVectorParams()}
    return edge.EdgeConfig(
        vectors={
            name: edge.EdgeVectorParams(one.size, getattr(edge.Distance, str(one.distance)))
            for name, one in vectors.items()
        },
        sparse_vectors=sparse,
        max_search_threads=1,
    )


def point(one: q.PointStruct) -> edge.Point:
    """A point to write."""
    return edge.Point(point_id(one.id), named_vectors(one.vector), one.payload)


def named_vectors(vector: Any) -> dict[str, Any]:
    """Vectors by name."""
    if not isinstance(vector, dict):
        raise UnknownError("a vector without a name")
    return {name: _vector(one) for name, one in vector.items()}


def point_id(id_: q.ExtendedPointId) -> UUID:
    """A point's id: UUIDs only."""
    if isinstance(id_, int):
        raise UnknownError("a number as a point's id")
    return id_ if isinstance(id_, UUID) else UUID(id_)


def query_request(request: q.QueryRequest) -> edge.QueryRequest:
    """A query."""
    _only(request, "prefetch query using filter params score_threshold limit with_payload with_vector")
    return edge.QueryRequest(
        limit=request.limit or 10,
        query=_query(request.query, request.using),
        prefetches=[_prefetch(one) for one in _list(request.prefetch)],
        with_vector=request.with_vector or False,
        with_payload=with_payload(request.with_payload, default=False),
        filter=filter_(request.filter),
        score_threshold=request.score_threshold,
        params=_params(request.params),
    )


def scroll_request(request: q.ScrollRequest) -> edge.ScrollRequest:
    """A scroll."""
    _only(request, "offset limit filter with_payload with_vector order_by")
    return edge.ScrollRequest(
        offset=None if request.offset is None else point_id(request.offset),
        limit=request.limit or 10,
        filter=filter_(request.filter),
        with_payload=with_payload(request.with_payload, default=True),
        with_vector=request.with_vector or False,
        order_by=_order_by(request.order_by),
    )


def with_payload(wanted: q.WithPayloadInterface | None, *, default: bool) -> bool | list[str]:
    """What of payloads is wanted."""
    if wanted is None:
        return default
    if not isinstance(wanted, bool | list):
        raise UnknownError("a payload selector")
    return wanted


def filter_(condition: q.Filter | None) -> edge.Filter | None:
    """A filter."""
    if condition is None:
        return None
    _only(condition, "should must must_not")
    return edge.Filter(
        should=_conditions(condition.should),
        must=_conditions(condition.must),
        must_not=_conditions(condition.must_not),
    )


def fields(condition: q.Filter | None) -> list[tuple[str, q.FieldCondition]]:
    """The payload fields that a filter looks at."""
    if condition is None:
        return []
    found: list[tuple[str, q.FieldCondition]] = []
    for group in (condition.should, condition.must, condition.must_not):
        for one in _list(group):
            if isinstance(one, q.Filter):
                found.extend(fields(one))
            elif isinstance(one, q.FieldCondition):
                found.append((one.key, one))
    return found


def index_schema(schema: q.PayloadFieldSchema | None) -> Any:
    """The schema of a payload index."""
    if isinstance(schema, q.PayloadSchemaType):
        return getattr(edge.PayloadSchemaType, schema.value.capitalize())
    if isinstance(schema, q.KeywordIndexParams):
        _only(schema, "type is_tenant enable_hnsw")
        return edge.KeywordIndexParams(is_tenant=schema.is_tenant, enable_hnsw=schema.enable_hnsw)
    raise UnknownError(f"an index of {type(schema).__name__}")


def record(found: edge.Record) -> q.Record:
    """A point that was read."""
    return q.Record(id=str(found.id), payload=found.payload, vector=_vectors_back(found.vector))


def scored(found: edge.ScoredPoint) -> q.ScoredPoint:
    """A point that was found."""
    return q.ScoredPoint(
        id=str(found.id),
        version=found.version,
        score=found.score,
        payload=found.payload,
        vector=_vectors_back(found.vector),
    )


def _vectors_back(vectors: Any) -> Any:
    if not isinstance(vectors, dict):
        return None
    return {
        name: q.SparseVector(indices=one.indices, values=one.values)
        if isinstance(one, edge.SparseVector)
        else one
        for name, one in vectors.items()
    }


def _prefetch(one: q.Prefetch) -> edge.Prefetch:
    _only(one, "query using filter params limit")
    return edge.Prefetch(
        limit=one.limit or 10,
        query=_query(one.query, one.using),
        filter=filter_(one.filter),
        params=_params(one.params),
    )


def _query(query: q.QueryInterface | None, using: str | None) -> Any:
    if isinstance(query, list | q.SparseVector):
        return edge.Query.Nearest(_vector(query), using=using)
    if isinstance(query, q.FusionQuery) and query.fusion is q.Fusion.DBSF:
        return edge.Fusion.Dbsf()
    if isinstance(query, q.RrfQuery):
        return edge.Fusion.Rrf(query.rrf.k or 2, query.rrf.weights)
    if isinstance(query, q.FormulaQuery):
        return edge.Formula(_expression(query.formula), query.defaults or {})
    raise UnknownError(f"a query of {type(query).__name__}")


def _expression(expression: q.Expression) -> edge.Expression:
    if isinstance(expression, float):
        return edge.Expression.Constant(expression)
    if isinstance(expression, str):
        return edge.Expression.Variable(expression)
    if isinstance(expression, q.SumExpression):
        return edge.Expression.Sum([_expression(one) for one in expression.sum])
    if isinstance(expression, q.MultExpression):
        return edge.Expression.Mult([_expression(one) for one in expression.mult])
    raise UnknownError(f"an expression of {type(expression).__name__}")


def _vector(vector: Any) -> Any:
    if isinstance(vector, q.SparseVector):
        return edge.SparseVector(vector.indices, vector.values)
    if isinstance(vector, list) and all(isinstance(number, float) for number in vector):
        return vector
    raise UnknownError(f"a vector of {type(vector).__name__}")


def _params(params: q.SearchParams | None) -> edge.SearchParams | None:
    if params is None:
        return None
    _only(params, "hnsw_ef quantization exact indexed_only")
    found = params.quantization
    return edge.SearchParams(
        hnsw_ef=params.hnsw_ef,
        quantization=None
        if found is None
        else edge.QuantizationSearchParams(rescore=found.rescore, oversampling=found.oversampling),
    )


def _order_by(order: q.OrderByInterface | None) -> edge.OrderBy | None:
    if order is None:
        return None
    if not isinstance(order, q.OrderBy) or order.start_from is not None:
        raise UnknownError("an order of that form")
    is_descending = order.direction is q.Direction.DESC
    return edge.OrderBy(order.key, edge.Direction.Desc if is_descending else edge.Direction.Asc)


def _conditions(group: Any) -> list[Any] | None:
    return None if group is None else [_condition(one) for one in _list(group)]


def _condition(one: q.Condition) -> Any:
    if isinstance(one, q.Filter):
        return filter_(one)
    if isinstance(one, q.HasIdCondition):
        return edge.HasIdCondition({point_id(id_) for id_ in one.has_id})
    if isinstance(one, q.FieldCondition):
        _only(one, "key match range")
        return edge.FieldCondition(one.key, match=_match(one.match), range=_range(one.range))
    raise UnknownError(f"a condition of {type(one).__name__}")


def _match(match: q.Match | None) -> Any:
    if match is None:
        return None
    if isinstance(match, q.MatchValue):
        return edge.MatchValue(match.value)
    if isinstance(match, q.MatchAny):
        return edge.MatchAny(match.any)
    raise UnknownError(f"a match of {type(match).__name__}")


def _range(range_: q.RangeInterface | None) -> Any:
    if range_ is None:
        return None
    bounds = range_.model_dump(exclude_none=True)
    if isinstance(range_, q.Range):
        return edge.RangeFloat(**bounds)
    return edge.RangeDateTime(**{order: moment.isoformat() for order, moment in bounds.items()})


def _list(value: Any) -> Sequence[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _only(model: Any, known: str) -> None:
    """Refuse a model that says more than this server understands."""
    unknown = {name for name in model.model_fields_set if getattr(model, name) is not None}
    if unknown := unknown - set(known.split()):
        raise UnknownError(f"{type(model).__name__} with {sorted(unknown)}")
