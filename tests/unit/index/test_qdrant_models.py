"""What is sent to a Qdrant server, and what its answers and failures become. Pure."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http import models as q
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from ragfleet_api.config.runtime import FusionConfig
from ragfleet_api.config.store import (
    MetadataIndexConfig,
    MetadataIndexType,
    QdrantConfig,
    StoreConfig,
)
from ragfleet_runtime.errors import EngineError, StorageFullError, UnavailableError
from ragfleet_runtime.index.documents import Document, Key
from ragfleet_runtime.index.filters import parse_filter
from ragfleet_runtime.index.plan import Plan
from ragfleet_runtime.index.qdrant import records
from ragfleet_runtime.index.qdrant.desired import (
    chunk_collection,
    chunk_fields,
    difference,
    document_collection,
    schema_type,
)
from ragfleet_runtime.index.qdrant.faults import (
    MissingIndexError,
    NotThereError,
    TransientError,
    storage_error,
)
from ragfleet_runtime.index.qdrant.filters import paths, to_filter
from ragfleet_runtime.index.qdrant.points import delete, in_requests, upsert
from ragfleet_runtime.index.qdrant.queries import best_scores, request_of
from ragfleet_runtime.index.shape import Shape
from support.configs import make_config
from support.qdrant_opening import EMBEDDING

URL = "http://qdrant.data:6333"


def store(**sections: Any) -> StoreConfig:
    qdrant = {"url": URL, **sections.pop("qdrant", {})}
    return make_config(
        vectorStore={"type": "Qdrant", "qdrant": qdrant, **sections}, embedding=EMBEDDING
    ).store


def wanted(*, dimensions: int | None = 3, dot: bool = False, **sections: Any) -> q.CreateCollection:
    made = store(**sections)
    return chunk_collection(Shape(dimensions, dot, made.index), qdrant_of(made))


def qdrant_of(made: StoreConfig) -> QdrantConfig:
    assert made.qdrant is not None
    return made.qdrant


def sent(model: Any) -> Any:
    """What goes over the wire."""
    return json.loads(model.model_dump_json(exclude_none=True, exclude_unset=True))


def as_info(wanted: q.CreateCollection, **params: Any) -> q.CollectionInfo:
    """What a server says of a collection that was made like that."""
    settings = sent(wanted)
    return q.CollectionInfo.model_validate(
        {
            "status": "green",
            "optimizer_status": "ok",
            "segments_count": 1,
            "payload_schema": {},
            "config": {
                "params": {
                    "vectors": settings.get("vectors"),
                    "sparse_vectors": settings.get("sparse_vectors"),
                    "shard_number": settings["shard_number"],
                    "replication_factor": settings["replication_factor"],
                    **params,
                },
                "hnsw_config": {
                    "m": 16,
                    "ef_construct": 100,
                    "full_scan_threshold": 10000,
                    **settings.get("hnsw_config", {}),
                },
                "optimizer_config": {
                    "default_segment_number": 0,
                    "flush_interval_sec": 5,
                    **settings.get("optimizers_config", {}),
                },
                "quantization_config": settings.get("quantization_config"),
            },
        }
    )


def plan(**changes: Any) -> Plan:
    given: dict[str, Any] = {
        "sparse": {7: 2.0},
        "dense": [0.5, 0.25],
        "limit": 10,
        "candidates": 200,
        "fusion": FusionConfig(method="DBSF"),
        "condition": parse_filter({"team": "x"}),
        "min_score": None,
    }
    return Plan(**{**given, **changes})


SHAPE = Shape(2, dot=False, index=store().index)
TEAM = {"should": [{"key": "metadata.team", "match": {"any": ["x"]}}]}


def test_a_hybrid_plan_filters_both_rankings_and_fuses_them() -> None:
    assert sent(request_of(plan(), SHAPE)) == {
        "prefetch": [
            {
                "query": [0.5, 0.25],
                "using": "dense",
                "filter": TEAM,
                "params": {"hnsw_ef": 200},
                "limit": 200,
            },
            {"query": {"indices": [7], "values": [2.0]}, "using": "bm25", "filter": TEAM, "limit": 200},
        ],
        "query": {"fusion": "dbsf"},
        "limit": 10,
        "with_payload": True,
    }


def test_rrf_has_its_k_and_weights_in_the_order_of_the_rankings() -> None:
    fusion = FusionConfig(method="RRF", rrf_k=9, rrf_dense_weight=3, rrf_sparse_weight=0)
    query = sent(request_of(plan(fusion=fusion), SHAPE))["query"]
    assert query == {"rrf": {"k": 9, "weights": [3.0, 0.0]}}


@pytest.mark.parametrize(
    ("best", "shares"), [((0.5, 4.0), (0.6, 0.175)), ((0.0, 4.0), (0.0, 0.175)), ((-0.5, 0.0), (0.0, 0.0))]
)
def test_weighted_fusion_divides_by_the_best_scores(
    best: tuple[float, float], shares: tuple[float, float]
) -> None:
    fusion = FusionConfig(method="Weighted", alpha_percent=30)
    query = sent(request_of(plan(fusion=fusion), SHAPE, best))["query"]
    terms = query["formula"]["sum"]
    assert [term["mult"][0] for term in terms] == pytest.approx(shares)
    assert [term["mult"][1] for term in terms] == ["$score[0]", "$score[1]"]
    assert query["defaults"] == {"$score[0]": 0.0, "$score[1]": 0.0}
    asked = [sent(one) for one in best_scores(plan(fusion=fusion), SHAPE)]
    assert [(one["using"], one["limit"], one["filter"]) for one in asked] == [
        ("dense", 1, TEAM),
        ("bm25", 1, TEAM),
    ]


def test_one_ranking_alone_is_asked_for_without_fusion() -> None:
    dense = sent(request_of(plan(sparse=None, condition=None, min_score=0.5), SHAPE))
    assert (dense["using"], dense["limit"], dense["params"]) == ("dense", 10, {"hnsw_ef": 128})
    assert 0.499 < dense["score_threshold"] < 0.5
    sparse = sent(request_of(plan(dense=None, condition=None), SHAPE))
    assert sparse["query"] == {"indices": [7], "values": [2.0]}
    assert "params" not in sparse


def test_quantised_vectors_are_scored_again_in_full() -> None:
    index = {"quantization": {"type": "Scalar", "oversamplingPercent": 150}, "hnsw": {"efSearch": 500}}
    shape = Shape(2, dot=False, index=store(index=index).index)
    params = sent(request_of(plan(), shape))["prefetch"][0]["params"]
    assert params == {"hnsw_ef": 500, "quantization": {"rescore": True, "oversampling": 1.5}}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("team", ["metadata.team"]),
        ("a b", ['metadata."a b"']),
        ("owner.name", ['metadata."owner.name"', "metadata.owner.name"]),
        ("owner.first name", ['metadata."owner.first name"', 'metadata.owner."first name"']),
        ("ends.", ['metadata."ends."']),
        ("ä", ['metadata."ä"']),
        ("document_id", ["document_id"]),
    ],
)
def test_keys_are_written_as_the_server_writes_them(key: str, expected: list[str]) -> None:
    assert paths("metadata", key) == expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"n": 3}, {"should": [{"key": "metadata.n", "range": {"gte": 3.0, "lte": 3.0}}]}),
        ({"f": True}, {"should": [{"key": "flags.f", "match": {"any": ["true"]}}]}),
        ({"type": "in", "key": "t", "value": []}, {"must": [{"has_id": []}]}),
        ({"type": "nin", "key": "t", "value": []}, {"must_not": []}),
        (
            {"type": "gt", "key": "at", "value": "2026-01-31T00:00:00Z"},
            {"should": [{"key": "metadata.at", "range": {"gt": "2026-01-31T00:00:00Z"}}]},
        ),
        (
            {"type": "or", "filters": [{"document_id": "a"}, {"type": "ne", "key": "t", "value": "x"}]},
            {
                "should": [
                    {"should": [{"key": "document_id", "match": {"any": ["a"]}}]},
                    {"must_not": [{"key": "metadata.t", "match": {"any": ["x"]}}]},
                ]
            },
        ),
    ],
)
def test_conditions_become_the_server_s_filters(value: object, expected: object) -> None:
    condition = parse_filter(value)
    assert condition is not None
    assert sent(to_filter(condition)) == expected


def test_the_collection_of_chunks_has_what_the_spec_says() -> None:
    assert sent(wanted(qdrant={"shards": 2, "replicationFactor": 3})) == {
        "vectors": {"dense": {"size": 3, "distance": "Cosine", "on_disk": False}},
        "sparse_vectors": {"bm25": {"modifier": "idf"}},
        "hnsw_config": {"m": 16, "ef_construct": 100, "full_scan_threshold": 10000, "on_disk": False},
        "optimizers_config": {"indexing_threshold": 10000, "default_segment_number": 0},
        "shard_number": 2,
        "replication_factor": 3,
    }
    assert sent(wanted(dot=True))["vectors"]["dense"]["distance"] == "Dot"
    scalar = wanted(index={"quantization": {"type": "Scalar"}})
    assert sent(scalar)["quantization_config"] == {"scalar": {"type": "int8", "always_ram": True}}
    without = sent(wanted(dimensions=None, index={"quantization": {"type": "Scalar"}}))
    assert set(without) == {
        "vectors",
        "sparse_vectors",
        "optimizers_config",
        "shard_number",
        "replication_factor",
    }
    assert sent(document_collection(qdrant_of(store()))) == {
        "vectors": {},
        "shard_number": 1,
        "replication_factor": 1,
    }


@pytest.mark.parametrize(
    ("type_", "fields"),
    [
        ("Keyword", {'metadata."a.b"': "keyword", "metadata.a.b": "keyword"}),
        ("Float", {'metadata."a.b"': "float", "metadata.a.b": "float"}),
        ("Bool", {'flags."a.b"': "keyword", "flags.a.b": "keyword"}),
        ("Datetime", {'metadata."a.b"': "datetime", "metadata.a.b": "datetime"}),
    ],
)
def test_payload_indexes_lie_where_filters_look(type_: MetadataIndexType, fields: dict[str, str]) -> None:
    made = chunk_fields((MetadataIndexConfig(key="a.b", type=type_),))
    types = {path: schema_type(schema).value for path, schema in made.items()}
    assert types == {"document_id": "keyword", "tenant": "keyword", **fields}


def test_a_collection_as_wanted_needs_no_change() -> None:
    for made in (wanted(), wanted(dimensions=None), wanted(index={"quantization": {"type": "Binary"}})):
        found = difference(as_info(made), made)
        assert (found.update, found.fixed, found.notes) == (None, (), ())


@pytest.mark.parametrize(
    ("change", "update"),
    [
        ({"index": {"hnsw": {"m": 32}}}, {"hnsw_config": {"m": 32}}),
        ({"index": {"optimizer": {"segments": 2}}}, {"optimizers_config": {"default_segment_number": 2}}),
        (
            {"index": {"quantization": {"type": "Binary"}}},
            {"quantization_config": {"binary": {"always_ram": True}}},
        ),
        (
            {"index": {"hnsw": {"onDisk": True}}},
            {"vectors": {"dense": {"on_disk": True}}, "hnsw_config": {"on_disk": True}},
        ),
        ({"qdrant": {"replicationFactor": 2}}, {"params": {"replication_factor": 2}}),
    ],
)
def test_what_can_be_changed_is_changed(change: dict[str, Any], update: dict[str, Any]) -> None:
    found = difference(as_info(wanted()), wanted(**change))
    assert found.update is not None
    told = sent(found.update)
    assert set(told) == set(update)
    for section, values in update.items():
        assert told[section].items() >= values.items()
    assert found.fixed == ()


def test_quantization_is_taken_away_by_name() -> None:
    found = difference(as_info(wanted(index={"quantization": {"type": "Scalar"}})), wanted())
    assert found.update is not None
    assert sent(found.update) == {"quantization_config": "Disabled"}


def test_what_can_t_be_changed_is_told() -> None:
    assert (
        "3 dimensions and distance Cosine, not 4"
        in difference(as_info(wanted()), wanted(dimensions=4)).fixed[0]
    )
    assert "not 3 and Dot" in difference(as_info(wanted()), wanted(dot=True)).fixed[0]
    assert (
        "dense vectors ['dense'], not none" in difference(as_info(wanted()), wanted(dimensions=None)).fixed[0]
    )
    plain = as_info(wanted(), sparse_vectors={"bm25": {}})
    assert "with IDF" in difference(plain, wanted()).fixed[0]
    found = difference(as_info(wanted()), wanted(qdrant={"shards": 4}))
    assert (found.update, found.fixed) == (None, ())
    assert "1 shards, not 4" in found.notes[0]


def answer(status: int, body: object, **headers: str) -> UnexpectedResponse:
    content = body.encode() if isinstance(body, str) else json.dumps(body).encode()
    return UnexpectedResponse(status, "reason", content, httpx.Headers(headers))


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (TimeoutError(), TransientError, "gave no answer in time, searching"),
        (ResponseHandlingException(httpx.ReadTimeout("")), TransientError, "gave no answer in time"),
        (
            ResponseHandlingException(httpx.ConnectError("refused")),
            TransientError,
            "can't be reached, .*: refused",
        ),
        (ResponseHandlingException(ValueError("x")), EngineError, "isn't Qdrant's.*check the address"),
        (ResourceExhaustedResponse("slow\ndown", 7), TransientError, "overloaded, searching: slow down"),
        (answer(503, {"status": "x"}, **{"Retry-After": "9"}), TransientError, r"failed \(503\).*: x"),
        (
            answer(500, {"status": {"error": "Service internal error"}}),
            TransientError,
            "Service internal error",
        ),
        (answer(404, {"status": {"error": "Not found: x"}}), NotThereError, "Not found: x"),
        (answer(401, "Invalid API key or JWT"), EngineError, "check its API key"),
        (answer(400, "x" * 1000), EngineError, "x…$"),
        (answer(507, {"status": {"error": "disk"}}), StorageFullError, "no room left"),
        (
            answer(
                400,
                {
                    "status": {
                        "error": 'Bad request: Index required but not found for "metadata."a b"" of one of x'
                    }
                },
            ),
            MissingIndexError,
            r"filters\.a b: .*spec\.vectorStore\.index\.metadata",
        ),
    ],
)
def test_failures_become_the_service_s_errors(error: Exception, kind: type[Exception], told: str) -> None:
    made = storage_error(error, "searching", URL)
    assert type(made) is kind
    assert "\n" not in str(made)
    with pytest.raises(kind, match=told):
        raise made


def test_a_pause_that_was_asked_for_is_passed_on() -> None:
    for error in (ResourceExhaustedResponse("", 7), answer(503, "", **{"retry-after": "7"})):
        made = storage_error(error, "searching", URL)
        assert isinstance(made, UnavailableError)
        assert made.retry_after == 7
    dated = storage_error(answer(503, "", **{"retry-after": "Wed, 21 Oct 2026"}), "searching", URL)
    assert isinstance(dated, TransientError)
    assert dated.asked_to_wait is None


def document(text: str = "text") -> Document:
    moment = datetime(2026, 11, 21, 12, 0, 0, 123456, tzinfo=UTC)
    key = Key("default", "a/b\0😀")
    return Document(
        key, "ab" * 12, "hash", "recipe", "prose", None, {"n": [1, 2.0]}, text, 3, 40, moment, moment
    )


def test_a_record_and_its_parts_are_the_document() -> None:
    text = "ä😀" * 300_000
    point = records.record_point(document(text), None)
    parts = list(records.part_points(document(text)))
    assert records.part_ids(point["payload"]) == [part["id"] for part in parts]
    assert len(parts) == 3
    again = records.document_of(point["payload"], [part["payload"]["text"] for part in parts])
    assert again == document(text)
    later = records.record_point(document(), {"created_at": 1.0})
    assert (later["id"], later["payload"]["created_at"]) == (point["id"], 1.0)
    assert list(records.part_points(document(""))) == []


def test_ids_of_points_are_never_the_same() -> None:
    ids = {
        records.record_id(Key("a", "b")),
        records.record_id(Key("a\0b", "")),
        records.record_id(Key("ab", "")),
        records.note_id("ab" * 12),
        records.part_id("ab" * 12, 0),
        records.SETTINGS_ID,
    }
    assert len(ids) == 6


def test_writes_are_as_small_as_a_request_may_be() -> None:
    points = [{"id": str(n), "payload": {"text": "\0" * 300_000}} for n in range(9)]
    groups = list(in_requests(points))
    assert [point for group in groups for point in group] == points
    assert all(len(json.dumps(group)) < 16 * 2**20 for group in groups)
    assert len(groups) > 1
    assert upsert([]) == {}
    where = q.Filter(must=[q.HasIdCondition(has_id=["x"])])
    assert delete(where) == {"delete": {"filter": {"must": [{"has_id": ["x"]}]}}}
    q.UpdateOperations.model_validate(
        {"operations": [upsert([{"id": "x", "vector": {}}], "update_only", where), delete(where)]}
    )
