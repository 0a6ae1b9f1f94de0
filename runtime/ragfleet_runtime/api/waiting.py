"""What is answered until the service is open: probes tell why it isn't, everything else gets 503."""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ragfleet_runtime.api.auth import ANONYMOUS, Guard
from ragfleet_runtime.api.probes import Readiness
from ragfleet_runtime.api.problems import NOT_READY, problem_response

_ALIVE = b'{"status":"ok"}'
# For the metrics and the access log, as a router would tell it.
_PROBES = {path: Guard(path, {}) for path in ("/live", "/ready", "/health")}


class Gate:
    """The application, once it is there."""

    def __init__(self, readiness: Readiness) -> None:
        self._readiness = readiness
        self._app: ASGIApp | None = None

    def open(self, app: ASGIApp) -> None:
        """Let requests through to ``app``."""
        self._app = app
        self._readiness.open()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        answer = self._app or self._waiting(Request(scope))
        await answer(scope, receive, send)

    def _waiting(self, request: Request) -> ASGIApp:
        reason = self._readiness.reason or "starting"
        if request.url.path in _PROBES:
            request.scope["route"] = _PROBES[request.url.path]
        if request.url.path == "/live":
            return Response(_ALIVE, media_type="application/json")
        if request.url.path == "/health":
            shown = None if ANONYMOUS in request.scope else reason
            check = {"name": "start", "status": "failed", "reason": shown, "took_ms": 0.0}
            body = orjson.dumps({"status": "failed", "checks": [check]})
            return Response(body, NOT_READY.status, media_type="application/json")
        if request.url.path == "/ready":
            # Open to all callers: what is wrong in detail is for those with a key.
            return problem_response(
                request, NOT_READY, "not open yet; /health tells why to callers with a key"
            )
        return problem_response(request, NOT_READY, reason)
