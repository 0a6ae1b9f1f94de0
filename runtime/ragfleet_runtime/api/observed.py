"""The outermost layer of the service: request ids, metrics, the access log, and errors nobody caught."""

from __future__ import annotations

import itertools
import re
import secrets
import time

import structlog
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ragfleet_runtime.api.auth import KEY_NAME
from ragfleet_runtime.api.problems import MEDIA_TYPE, TOO_LARGE, TOO_LARGE_DETAIL, problem_response
from ragfleet_runtime.observe.metrics import Metrics

REQUEST_ID = "X-Request-Id"
_ID_HEADER = REQUEST_ID.lower().encode()
_ACCEPTABLE_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_PLAIN_TOO_LARGE = b"Content Too Large"
_REFUSED = (401, 403)
_QUIET_ROUTES = frozenset({"/live", "/ready", "/health", "/metrics", "/status"})

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Observed:
    """Plain ASGI middleware: a base class that wraps streams would cost more than the request itself."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics
        # A random prefix for the process and a number: random ids for each request cost a system call each.
        self._prefix = secrets.token_hex(12)
        self._numbers = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection event."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = _given_id(scope) or f"{self._prefix}{next(self._numbers):08x}"
        scope["request_id"] = request_id
        status = 500

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (_ID_HEADER, request_id.encode())]
                if status == TOO_LARGE.status:
                    headers = MutableHeaders(scope=message)
                    headers["Connection"] = "close"  # the rest of the body is not worth reading
                    if headers.get("Content-Type") != MEDIA_TYPE:
                        # The framework's limit answers in plain text, wherever it is reached.
                        await problem_response(Request(scope), TOO_LARGE, TOO_LARGE_DETAIL)(
                            scope, receive, send_observed
                        )
                        return
            if status == TOO_LARGE.status and message.get("body") == _PLAIN_TOO_LARGE:
                return
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        except Exception:
            # Answered by the handler for Exception, which sees the error first and passes it on.
            log.exception("request failed", request_id=request_id, path=scope["path"])
        finally:
            self._record(scope, status, time.perf_counter() - start)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        # The route's pattern, never the path: ids in labels would make a series for each document.
        route = getattr(scope.get("route"), "path", "unmatched")
        self._metrics.requests.labels(route, scope["method"], str(status)).inc()
        self._metrics.request_seconds.labels(route).observe(seconds)
        if route not in _QUIET_ROUTES or status in _REFUSED:
            log.info(
                "request",
                method=scope["method"],
                route=route,
                status=status,
                ms=round(seconds * 1000, 2),
                request_id=scope["request_id"],
                **({"key": scope[KEY_NAME]} if KEY_NAME in scope else {}),
            )


def _given_id(scope: Scope) -> str:
    """The id that the caller gave the request, if it is one that can be taken over; else ""."""
    given: bytes = next((value for name, value in scope["headers"] if name == _ID_HEADER), b"")
    return given.decode() if _ACCEPTABLE_ID.fullmatch(given) else ""
