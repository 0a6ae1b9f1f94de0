from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ragfleet_runtime.api.auth import DOCUMENT_GUARD, GUARDS, OPEN_PATHS, describe_keys, guarded
from ragfleet_runtime.guard.keys import KeyRing
from ragfleet_runtime.secrets_files import GivenSecrets
from support.access_rules import ROLES, RULES, example

pytestmark = pytest.mark.anyio
KEYS = {role: f"key-for-{role}-0123456789" for role in ROLES}
HOW = "send one in the header Authorization, as Bearer KEY, or in X-API-Key"
MISSING = f"there is no API key in the headers: {HOW}"
WRONG = "the API key is not one of this service"


@dataclass
class Call:
    """A request and what became of it; ``passed`` says whether it reached the application."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    passed: bool = False
    scope: Scope = field(default_factory=dict)

    @property
    def problem(self) -> dict[str, Any]:
        assert self.headers["content-type"] == "application/problem+json"
        found: dict[str, Any] = json.loads(self.body)
        assert found["status"] == self.status
        return found


def ring() -> KeyRing:
    made = KeyRing(GivenSecrets({"keys": {f"my-{role}.{role}": key for role, key in KEYS.items()}}), "keys")
    made.load()
    return made


async def call(
    method: str,
    path: str,
    headers: Mapping[str, str] | Sequence[tuple[str, str]] = (),
    *,
    without: Sequence[str] = (),
    **scope: Any,
) -> Call:
    result = Call()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        result.passed = True

    async def receive() -> Message:
        raise AssertionError("the body was read")

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            result.status = message["status"]
            result.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            result.body += message["body"]

    pairs = headers.items() if isinstance(headers, Mapping) else headers
    result.scope = {
        "type": "http",
        "method": method,
        "path": path,
        "query_string": b"",
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in pairs],
        "request_id": "r1",
        **scope,
    }
    await guarded(app, ring(), without=without)(result.scope, receive, send)
    assert not any(key in f"{result.headers} {result.body!r}" for key in KEYS.values())
    return result


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("method", "path"), RULES)
@pytest.mark.parametrize("role", KEYS)
async def test_a_key_opens_what_its_role_may_do(method: str, path: str, role: str) -> None:
    found = await call(method, example(path), bearer(KEYS[role]))
    assert found.passed == (role in RULES[method, path])
    assert found.scope["api_key_name"] == f"my-{role}"
    if found.passed:
        return
    wanted = " or ".join(sorted(RULES[method, path] - {"admin"}))
    assert found.problem == {
        "type": "https://ragfleet.dev/problems/forbidden",
        "title": "The API key may not do this",
        "status": 403,
        "detail": f"this needs a key with the role {wanted}; the key my-{role} has {role}",
        "instance": example(path),
        "request_id": "r1",
    }
    assert found.headers["www-authenticate"] == 'Bearer error="insufficient_scope"'


@pytest.mark.parametrize(("method", "path"), [*RULES, ("GET", "/no/such/route"), ("PUT", "/search")])
async def test_without_a_right_key_nothing_is_reached_and_no_route_is_told(method: str, path: str) -> None:
    for headers, detail, challenge in (
        ({}, MISSING, "Bearer"),
        ({"X-API-Key": " "}, MISSING, "Bearer"),
        (bearer("wrong-key-0123456789"), WRONG, 'Bearer error="invalid_token"'),
        ({"X-API-Key": KEYS["admin"] + "x"}, WRONG, 'Bearer error="invalid_token"'),
    ):
        found = await call(method, example(path), headers)
        if path == "/health" and detail == MISSING:
            assert found.passed
            continue
        assert not found.passed
        assert (found.status, found.headers["www-authenticate"]) == (401, challenge)
        assert found.problem["type"] == "https://ragfleet.dev/problems/unauthorized"
        assert found.problem["detail"] == detail
        assert "api_key_name" not in found.scope


async def test_what_is_below_documents_has_one_rule_whatever_its_id() -> None:
    for path in ("/documents/", "/documents/a/b", "/documents/a\n", "/documents/../search"):
        assert (await call("GET", path, bearer(KEYS["query"]))).passed
        assert not (await call("DELETE", path, bearer(KEYS["query"]))).passed


async def test_health_is_anonymous_without_a_key_and_told_in_full_with_one() -> None:
    assert (await call("GET", "/health")).scope["anonymous"] is True
    assert "anonymous" not in (await call("GET", "/health", bearer(KEYS["query"]))).scope


@pytest.mark.parametrize("path", sorted(OPEN_PATHS))
@pytest.mark.parametrize("headers", [{}, bearer("wrong-key-0123456789")])
async def test_probes_and_the_description_are_open_to_all(path: str, headers: dict[str, str]) -> None:
    assert (await call("GET", path, headers)).passed


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/search/",
        "/search\n",
        "//search",
        "/Search",
        "/ingest\n",
        "/documents\n",
        "/live/x",
        "/docs/x",
        "",
    ],
)
async def test_a_path_that_is_not_in_the_table_reaches_nothing(path: str) -> None:
    """Starlette's patterns end in $, which also matches before a newline: this table is exact."""
    assert (await call("POST", path, bearer(KEYS["query"]))).problem["status"] == 404
    assert (await call("POST", path)).problem["status"] == 401


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/search"), ("OPTIONS", "/ingest"), ("post", "/ingest")]
)
async def test_another_method_is_told_which_there_are(method: str, path: str) -> None:
    found = await call(method, path, bearer(KEYS["query"]))
    assert (found.problem["status"], found.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"bearer {KEYS['query']}"},
        {"Authorization": f"  BEARER   {KEYS['query']} "},
        {"X-API-Key": f" {KEYS['query']} "},
        {"Authorization": f"Bearer {KEYS['query']}", "X-API-Key": KEYS["query"]},
        {"Authorization": "Basic dXNlcjpwYXNz", "X-API-Key": KEYS["query"]},
    ],
)
async def test_ways_to_present_a_key(headers: dict[str, str]) -> None:
    assert (await call("POST", "/search", headers)).passed


@pytest.mark.parametrize(
    ("headers", "detail"),
    [
        (
            [("Authorization", f"Bearer {KEYS['query']}"), ("X-API-Key", KEYS["admin"])],
            "there are several keys in the headers, and they differ: send one",
        ),
        (
            [("X-API-Key", KEYS["query"]), ("X-API-Key", "wrong-key-0123456789")],
            "there are several keys in the headers, and they differ: send one",
        ),
        ([("Authorization", "Basic dXNlcjpwYXNz")], f"the header Authorization holds no bearer's key: {HOW}"),
        ([("Authorization", "Bearer ")], f"the header Authorization holds no bearer's key: {HOW}"),
        ([("Authorization", KEYS["query"])], f"the header Authorization holds no bearer's key: {HOW}"),
        ([("Authorization", f"Bearer {KEYS['query']} {KEYS['query']}")], WRONG),
        ([("Authorization", "Bearer \xff\xfe")], WRONG),
    ],
)
async def test_what_cannot_be_understood_is_refused(headers: list[tuple[str, str]], detail: str) -> None:
    found = await call("POST", "/search", headers)
    assert found.problem["status"] == 401
    assert found.problem["detail"] == detail


@pytest.mark.parametrize(
    ("headers", "connection"),
    [
        ({}, None),
        ({"Content-Length": "0"}, None),
        ({"Content-Length": "67108864"}, "close"),
        ({"Transfer-Encoding": "chunked"}, "close"),
    ],
)
@pytest.mark.parametrize(
    ("method", "path", "key", "status"),
    [
        ("POST", "/ingest", None, 401),
        ("POST", "/ingest", KEYS["query"], 403),
        ("POST", "/nowhere", KEYS["query"], 404),
        ("PUT", "/ingest", KEYS["query"], 405),
    ],
)
async def test_a_body_that_nobody_reads_ends_the_connection(
    headers: dict[str, str], connection: str | None, method: str, path: str, key: str | None, status: int
) -> None:
    found = await call(method, path, {**headers, **(bearer(key) if key else {})})
    assert (found.status, found.headers.get("connection")) == (status, connection)


async def test_a_refusal_has_the_route_for_the_metrics() -> None:
    for path, route in (("/search", "/search"), ("/documents/a/b", "/documents/{id:path}")):
        assert (await call("DELETE", path)).scope["route"].path == route
    assert "route" not in (await call("POST", "/nowhere")).scope


async def test_nothing_but_requests_gets_through() -> None:
    with pytest.raises(RuntimeError, match="websocket"):
        await call("GET", "/search", type="websocket")
    assert (await call("", "", type="lifespan")).passed


async def test_without_a_ring_the_application_stands_as_it_is() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None: ...

    assert guarded(app, None) is app


def test_the_rules_name_every_guard() -> None:
    tabled = {(method, guard.path) for guard in GUARDS for method in guard.roles}
    below = {(method, "/documents/{id}") for method in DOCUMENT_GUARD.roles}
    assert tabled | below == RULES.keys()


def test_the_description_says_that_keys_are_needed_and_where_not() -> None:
    schema: dict[str, Any] = {
        "paths": {"/search": {"post": {}}, "/live": {"get": {}}, "/health": {"get": {}}}
    }
    describe_keys(schema)
    assert schema["components"]["securitySchemes"].keys() == {"bearer", "header"}
    assert schema["security"] == [{"bearer": []}, {"header": []}]
    assert schema["paths"] == {
        "/search": {"post": {}},
        "/live": {"get": {"security": []}},
        "/health": {"get": {"security": []}},
    }


async def test_a_path_that_an_application_does_not_have_is_told_to_those_with_a_key_alone() -> None:
    assert (await call("GET", "/metrics", {"X-API-Key": KEYS["query"]})).passed
    for role in ROLES:
        refused = await call("GET", "/metrics", {"X-API-Key": KEYS[role]}, without=["/metrics"])
        assert (refused.status, refused.problem["detail"], refused.passed) == (
            404,
            "no route /metrics",
            False,
        )
    assert (await call("GET", "/metrics", without=["/metrics"])).status == 401
    assert (await call("POST", "/search", {"X-API-Key": KEYS["query"]}, without=["/metrics"])).passed
