"""POST /search and /query over HTTP."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import httpx
import pytest

from support.service import RunningService

DOCUMENTS = [
    {
        "id": "manual",
        "title": "Manual",
        "text": "# Pump\n\n## Starting the pump\n\nOpen valve B before you start the pump. "
        "Then press the green button.\n\n## Cleaning\n\nRinse the filter with warm water every Friday.",
        "metadata": {"team": "plant", "year": 2025},
    },
    {
        "id": "policy",
        "title": "Travel policy",
        "text": "Trains are booked in second class. Flights need the approval of a director. "
        "Hotel rooms cost at most 140 euros a night. See array[1] for more.",
        "metadata": {"team": "office", "year": 2026},
    },
    {
        "id": "notes",
        "text": "The canteen serves soup on Mondays. Fish is on Friday's menu.",
        "metadata": {"year": 2024},
    },
]


@pytest.fixture(scope="module", autouse=True)
def documents(service: RunningService) -> None:
    reply = httpx.post(f"{service.url}/ingest", json={"documents": DOCUMENTS}, timeout=60)
    assert reply.json()["indexed"] == len(DOCUMENTS), reply.text


def search(client: httpx.Client, **body: object) -> list[dict[str, object]]:
    reply = client.post("/search", json=body)
    assert reply.status_code == 200, reply.text
    results: list[dict[str, object]] = reply.json()["results"]
    return results


def test_a_result_is_a_span_of_its_document(client: httpx.Client) -> None:
    reply = client.post("/search", json={"query": "valve pump"}).json()
    assert set(reply) == {"results", "mode", "took_ms", "degraded"}
    assert reply["mode"] == "sparse"
    result = reply["results"][0]
    assert set(result) == {"document_id", "chunk_id", "text", "score", "title", "metadata", "start", "end"}
    assert (result["document_id"], result["title"]) == ("manual", "Manual")
    assert result["metadata"]["headings"] == ["Pump", "Starting the pump"]
    assert result["metadata"]["team"] == "plant"
    text = client.get("/documents/manual").json()["text"]
    assert text[result["start"] : result["end"]] == result["text"]


def test_filters_scores_and_grouping(client: httpx.Client) -> None:
    assert {r["document_id"] for r in search(client, query="Friday")} == {"manual", "notes"}
    only = search(client, query="Friday", filters={"type": "lt", "key": "year", "value": 2025})
    assert [r["document_id"] for r in only] == ["notes"]
    best = search(client, query="Friday filter", top_k=1)[0]
    high = search(client, query="Friday filter", min_score=best["score"])
    assert [r["chunk_id"] for r in high] == [best["chunk_id"]]
    assert search(client, query="Friday", min_score=1000.0) == []
    grouped = search(client, query="pump button filter water", group_by_document=True)
    assert [r["document_id"] for r in grouped].count("manual") == 1


@pytest.mark.parametrize(
    ("body", "status", "kind", "message"),
    [
        ({"query": ""}, 422, "invalid-query", "empty"),
        ({"query": " \n\t"}, 422, "invalid-query", "empty"),
        ({"query": "a\0b"}, 422, "invalid-query", "NUL"),
        ({"query": "x" * 2**20}, 422, "invalid-query", "1048576 characters; at most 8192"),
        ({}, 422, "invalid-request", "query: missing"),
        ({"query": 5}, 422, "invalid-request", "query"),
        ({"query": "a", "top_k": "5"}, 422, "invalid-request", "top_k"),
        ({"query": "a", "top_k": 0}, 422, "invalid-request", "top_k"),
        ({"query": "a", "top_k": 101}, 422, "invalid-request", "top_k"),
        ({"query": "a", "topk": 5}, 422, "invalid-request", "topk: unknown field"),
        ({"query": "a", "mode": "dense"}, 422, "invalid-request", "mode"),
        (
            {"query": "a", "filters": {"type": "gt", "key": "y", "value": []}},
            422,
            "invalid-filter",
            "takes a number",
        ),
        ({"query": "a", "filters": []}, 422, "invalid-request", "filters"),
    ],
)
@pytest.mark.parametrize("route", ["/search", "/query"])
def test_bad_requests_are_problems(
    client: httpx.Client, route: str, body: dict[str, object], status: int, kind: str, message: str
) -> None:
    if route == "/query" and "mode" in body:
        message = "mode: unknown field"
    reply = client.post(route, json=body)
    problem = reply.json()
    assert (reply.status_code, problem["status"]) == (status, status)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert problem["type"] == f"https://ragfleet.dev/problems/{kind}"
    assert message in problem["detail"]
    assert problem["instance"] == route
    assert problem["request_id"] == reply.headers["X-Request-Id"] != ""


@pytest.mark.parametrize(
    "body",
    [b'{"query": "\xff"}', b"{", b'{"query": "\\ud800"}', b"[" * 100_000, b"", b'"a"', b'{"query": NaN}'],
)
def test_bodies_that_are_not_json_text(client: httpx.Client, body: bytes) -> None:
    reply = client.post("/search", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code in (400, 422)
    assert reply.headers["Content-Type"] == "application/problem+json"


def test_deep_filters_are_refused(client: httpx.Client) -> None:
    deep: object = {"a": 1}
    for _ in range(50):
        deep = {"type": "and", "filters": [deep]}
    reply = client.post("/search", json={"query": "a", "filters": deep})
    assert (reply.status_code, reply.json()["title"]) == (422, "The filter is not valid")


def test_a_filter_on_a_missing_key_matches_nothing(client: httpx.Client) -> None:
    assert search(client, query="pump", filters={"no such key": "x"}) == []


def test_a_long_query_can_be_cut_instead(tmp_path_factory: pytest.TempPathFactory) -> None:
    from support.service import running_service

    arguments = [
        "--set",
        "spec.retrieval.query.tooLong=Truncate",
        "--set",
        "spec.retrieval.query.maxCharacters=16",
    ]
    with running_service(tmp_path_factory.mktemp("cut"), arguments) as running:
        httpx.post(f"{running.url}/ingest", json={"documents": [{"text": "A heron."}]}, timeout=60)
        reply = httpx.post(f"{running.url}/search", json={"query": "heron " + "x" * 2**20})
        assert len(reply.json()["results"]) == 1


def test_request_ids_are_taken_over_when_they_are_sane(client: httpx.Client) -> None:
    assert client.get("/live", headers={"X-Request-Id": "abc-1.2"}).headers["X-Request-Id"] == "abc-1.2"
    assert client.get("/live", headers={"X-Request-Id": "a b;c"}).headers["X-Request-Id"] != "a b;c"


def test_unknown_routes_and_methods_are_problems(client: httpx.Client) -> None:
    for reply, status in ((client.get("/nope"), 404), (client.get("/search"), 405)):
        assert (reply.status_code, reply.json()["status"]) == (status, status)


def test_an_answer_is_verbatim_and_cited(client: httpx.Client) -> None:
    reply = client.post("/query", json={"query": "Who must approve flights?"}).json()
    assert set(reply) == {
        "answer", "sources", "citations", "confidence", "model", "usage", "cached",
        "retrieval_count", "latency_ms", "degraded",
    }  # fmt: skip
    assert reply["answer"].startswith("Flights need the approval of a director.")
    sources = {source["n"]: source for source in reply["sources"]}
    assert [source["n"] for source in reply["sources"]] == list(range(1, reply["retrieval_count"] + 1))
    assert reply["citations"]
    for citation in reply["citations"]:
        statement = reply["answer"][citation["answer_start"] : citation["answer_end"]]
        assert statement in sources[citation["n"]]["text"]
        assert reply["answer"][citation["answer_end"] :].startswith(f" [{citation['n']}]")
    assert {int(n) for n in re.findall(r"\[(\d+)\]", reply["answer"])} <= set(sources)
    assert reply["confidence"] > 0.5
    assert (reply["model"], reply["cached"], reply["degraded"]) == ("extractive", False, [])


@pytest.mark.parametrize(
    "query", ["What is the capital of France?", "zzzyx qwrtp", "the of and", "quantum chromodynamics lattice"]
)
def test_nothing_relevant_gives_no_answer(client: httpx.Client, query: str) -> None:
    reply = client.post("/query", json={"query": query}).json()
    assert reply["answer"] == "I can't find that in the documents."
    assert reply["citations"] == []
    assert reply["confidence"] < 0.1


def test_a_statement_that_reads_as_a_citation_is_not_quoted(client: httpx.Client) -> None:
    reply = client.post("/query", json={"query": "See array for more"}).json()
    assert "array[1]" not in reply["answer"]


def test_a_streamed_answer_is_the_same(client: httpx.Client) -> None:
    whole = client.post("/query", json={"query": "Who must approve flights?"}).json()
    with client.stream(
        "POST", "/query", json={"query": "Who must approve flights?", "stream": True}
    ) as reply:
        assert reply.headers["Content-Type"].startswith("text/event-stream")
        events = dict(_events(reply.iter_lines()))
    assert list(events) == ["sources", "content", "done"]
    streamed = {
        "answer": events["content"]["content"],
        "sources": events["sources"]["sources"],
        **events["done"],
    }
    for reply_ in (whole, streamed):
        del reply_["latency_ms"]
    assert streamed == whole


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, object]]]:
    event = ""
    for line in lines:
        name, _, value = line.partition(": ")
        if name == "event":
            event = value
        elif name == "data":
            yield event, json.loads(value)


def test_health_probes_and_metrics(client: httpx.Client) -> None:
    health = client.get("/health").json()
    assert health["status"] == "ok"
    assert {check["name"] for check in health["checks"]} == {"documents", "engine", "index", "disk"}
    assert client.get("/live").json() == client.get("/ready").json() == {"status": "ok"}
    client.get("/documents/some-id")
    metrics = client.get("/metrics").text
    assert 'ragfleet_http_requests_total{method="POST",route="/search",status="200"}' in metrics
    assert 'route="/documents/{id:path}"' in metrics
    assert "some-id" not in metrics
    assert f"ragfleet_documents {len(DOCUMENTS)}.0" in metrics


def test_openapi_has_an_example_for_every_route(client: httpx.Client) -> None:
    schema = client.get("/openapi.json").json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            place = f"{method} {path}"
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None:
                assert _has_example(schema, body), f"{place}: no example of the request"
            content = next(iter(operation["responses"]["200"]["content"].values()))
            assert _has_example(schema, content), f"{place}: no example of the reply"
            problem = operation["responses"]["default"]["content"]["application/problem+json"]
            assert _has_example(schema, problem), f"{place}: no example of a problem"
    assert client.get("/docs").status_code == 200


def _has_example(schema: dict[str, object], content: dict[str, object]) -> bool:
    if "example" in content or "examples" in content:
        return True
    found = content.get("schema", {})
    assert isinstance(found, dict)
    if "$ref" in found:
        found = _resolve(schema, found["$ref"])
    return bool(found.get("examples"))


def _resolve(schema: dict[str, object], ref: str) -> dict[str, object]:
    found: object = schema
    for part in ref.removeprefix("#/").split("/"):
        assert isinstance(found, dict)
        found = found[part]
    assert isinstance(found, dict)
    return found
