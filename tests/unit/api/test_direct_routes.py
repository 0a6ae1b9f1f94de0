"""The short way to a route answers as the framework's own way does."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel
from starlette.types import ASGIApp, Message, Scope

from ragfleet_runtime.api.app import make_app
from ragfleet_runtime.api.bodies import read_json
from ragfleet_runtime.api.direct import Direct
from ragfleet_runtime.api.problems import INVALID_REQUEST, ProblemError
from ragfleet_runtime.errors import DeadlineError, StorageFullError, UnavailableError
from ragfleet_runtime.index.filters import FilterError
from ragfleet_runtime.retrieve.question import QuestionError

pytestmark = pytest.mark.anyio

LIMIT = 64
ERRORS = {
    "problem": ProblemError(INVALID_REQUEST, "mode: wrong", hint="none"),
    "question": QuestionError("the query is empty"),
    "filter": FilterError("filters: no such operator"),
    "deadline": DeadlineError("the time ran out"),
    "full": StorageFullError("the disk is full"),
    "unavailable": UnavailableError("the server is down", retry_after=7),
}


class Body(BaseModel, extra="forbid"):
    error: str = ""
    number: int = 0


def make_routes() -> APIRouter:
    router = APIRouter()

    @router.post("/do")
    async def do(request: Request) -> Response:
        body = await read_json(request, Body, LIMIT)
        if body.error in ERRORS:
            raise ERRORS[body.error]
        if body.error:
            raise RuntimeError(body.error)
        return Response(str(body.number))

    return router


@pytest.fixture
def apps() -> tuple[ASGIApp, ASGIApp]:
    """The framework's own way, and the short one."""
    routes = make_routes()
    app = make_app("test", [routes])
    return app, Direct(app, routes.routes)


def client(app: ASGIApp) -> httpx.AsyncClient:
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://test"
    )


@pytest.mark.parametrize(
    "body",
    [
        b'{"number": 3}',
        b"{",
        b"\xff",
        b'{"number": "x", "other": 1}',
        b'{"number": ' + b"1" * LIMIT + b"}",
        *(f'{{"error": "{name}"}}'.encode() for name in (*ERRORS, "nobody foresaw this")),
    ],
)
async def test_a_request_is_answered_as_by_the_framework(apps: tuple[ASGIApp, ASGIApp], body: bytes) -> None:
    replies = []
    for app in apps:
        async with client(app) as http:
            replies.append(await http.post("/do", content=body))
    framework, direct = replies
    assert (direct.status_code, direct.content) == (framework.status_code, framework.content)
    assert dict(direct.headers) == dict(framework.headers)


@pytest.mark.parametrize(("method", "path"), [("GET", "/do"), ("POST", "/do/"), ("POST", "/other")])
async def test_what_is_not_such_a_route_goes_to_the_framework(
    apps: tuple[ASGIApp, ASGIApp], method: str, path: str
) -> None:
    async with client(apps[1]) as http:
        assert (await http.request(method, path)).status_code in (307, 404, 405)


async def test_a_body_without_a_length_is_bounded(apps: tuple[ASGIApp, ASGIApp]) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 16

    async with client(apps[1]) as http:
        reply = await http.post("/do", content=endless())
    assert (reply.status_code, reply.json()["type"].rpartition("/")[2]) == (413, "too-large")


async def call(app: ASGIApp, received: Message, sent: list[Message]) -> Scope:
    scope = {"type": "http", "method": "POST", "path": "/do", "headers": [], "query_string": b""}

    async def receive() -> Message:
        return received

    async def send(message: Message) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return scope


async def test_a_client_that_goes_away_in_its_body_gets_no_answer(apps: tuple[ASGIApp, ASGIApp]) -> None:
    sent: list[Message] = []
    scope = await call(apps[1], {"type": "http.disconnect"}, sent)
    assert (scope["route"].path, sent) == ("/do", [])


async def test_what_nobody_foresaw_is_answered_and_raised(apps: tuple[ASGIApp, ASGIApp]) -> None:
    sent: list[Message] = []
    with pytest.raises(RuntimeError, match="canary"):
        await call(apps[1], {"type": "http.request", "body": b'{"error": "canary"}'}, sent)
    assert sent[0]["status"] == 500
    assert b"canary" not in sent[1]["body"]
