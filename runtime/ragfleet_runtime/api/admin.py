"""The admin port: GET /status, /metrics, /ready and /live, beside the port that people use.

/live is open to all. Everything else needs the port's own token, as a bearer's; without it a caller doesn't
learn which routes there are.
"""

from __future__ import annotations

import math
from collections.abc import Awaitable, Callable
from typing import Final

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ragfleet_runtime.api.auth import METRICS_PATH, CredentialsError, Guard, closing, presented_key
from ragfleet_runtime.api.probes import Readiness
from ragfleet_runtime.api.problems import (
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    NOT_READY,
    UNAUTHORIZED,
    problem_response,
)
from ragfleet_runtime.api.status import Board
from ragfleet_runtime.guard.admin import AdminToken
from ragfleet_runtime.observe.metrics import CONTENT_TYPE, Metrics

_LIVE: Final = "/live"
_JSON: Final = "application/json"
_OK: Final = b'{"status":"ok"}'
_NEEDED: Final = "this port needs its own token, in the header Authorization, as Bearer TOKEN"


class Admin:
    """The admin port's application, as plain ASGI: it answers from the start on, whatever isn't open yet."""

    def __init__(self, token: AdminToken, readiness: Readiness, board: Board, metrics: Metrics) -> None:
        self._token = token
        self._readiness = readiness
        self._board = board
        self._metrics = metrics
        self._routes: dict[str, Callable[[Request], Awaitable[Response]]] = {
            _LIVE: self._live,
            "/ready": self._ready,
            "/status": self._status,
            METRICS_PATH: self._show_metrics,
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; a body isn't read."""
        if scope["type"] != "http":
            raise RuntimeError(f"nobody is let in by {scope['type']}")
        answer = await self._answer(Request(scope))
        await answer(scope, receive, send)

    async def _answer(self, request: Request) -> ASGIApp:
        scope, path = request.scope, request.scope["path"]
        route = self._routes.get(path)
        # For the metrics: what was asked for, where there is such a thing.
        place = None if route is None else Guard(path, {})
        if path != _LIVE and not self._may(request):
            response = problem_response(request, UNAUTHORIZED, _NEEDED)
            response.headers["WWW-Authenticate"] = "Bearer"
        elif route is None:
            response = problem_response(request, NOT_FOUND, f"no route {path}")
        elif request.method != "GET":
            response = problem_response(request, METHOD_NOT_ALLOWED, "the methods here are GET")
            response.headers["Allow"] = "GET"
        else:
            response = await route(request)
        return closing(scope, place, response)

    def _may(self, request: Request) -> bool:
        try:
            presented = presented_key(
                header for header in request.scope["headers"] if header[0] == b"authorization"
            )
        except CredentialsError:
            return False
        return presented is not None and self._token.allows(presented)

    async def _live(self, _request: Request) -> Response:
        return Response(_OK, media_type=_JSON)

    async def _ready(self, request: Request) -> Response:
        reason = self._readiness.reason
        if reason is not None:
            return problem_response(request, NOT_READY, reason)
        return Response(_OK, media_type=_JSON)

    async def _status(self, _request: Request) -> Response:
        return Response(orjson.dumps(await self._board.tell()), media_type=_JSON)

    async def _show_metrics(self, _request: Request) -> Response:
        _, counts = await self._board.look()
        if counts is None:
            self._metrics.set_counts(math.nan, math.nan, math.nan)
        else:
            self._metrics.set_counts(counts.documents, counts.chunks, counts.stale)
        return Response(self._metrics.exposition(), headers={"Content-Type": CONTENT_TYPE})
