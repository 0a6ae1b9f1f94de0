"""API keys at the door: who may call which route.

Open to all: /live and /ready (a platform's probes), and the API's own description. /health is open too, but
shows its reasons only to those with a key. Everything else needs a key with a role that the table below
names; what is not in the table isn't reached, so that a new route is closed until it is entered here. Without
a key a caller doesn't learn which routes there are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from ragfleet_runtime.api.problems import (
    FORBIDDEN,
    METHOD_NOT_ALLOWED,
    NOT_FOUND,
    UNAUTHORIZED,
    problem_response,
)
from ragfleet_runtime.guard.entries import ApiKey, Role
from ragfleet_runtime.guard.keys import KeyRing

# In the scope of a request: the name of its key; and that it came without one, where that is allowed.
KEY_NAME: Final = "api_key_name"
ANONYMOUS: Final = "anonymous"

OPEN_PATHS: Final = frozenset(
    {"/live", "/ready", "/docs", "/docs/oauth2-redirect", "/redoc", "/openapi.json"}
)
_HEALTH: Final = "/health"
METRICS_PATH: Final = "/metrics"

_QUERY: Final[frozenset[Role]] = frozenset({"query"})
_INGEST: Final[frozenset[Role]] = frozenset({"ingest"})
_EITHER: Final = _QUERY | _INGEST


class Guard(NamedTuple):
    """A path and, for each method, the roles of which a caller needs one; admin has all roles."""

    path: str
    roles: Mapping[str, frozenset[Role]]


GUARDS: Final = (
    Guard("/search", {"POST": _QUERY}),
    Guard("/query", {"POST": _QUERY}),
    Guard("/query/stream", {"POST": _QUERY}),
    Guard("/ingest", {"POST": _INGEST}),
    Guard("/documents", {"GET": _EITHER, "DELETE": _INGEST}),
    Guard(METRICS_PATH, {"GET": _QUERY}),
    Guard(_HEALTH, {"GET": _EITHER}),
)
DOCUMENT_GUARD: Final = Guard("/documents/{id:path}", {"GET": _EITHER, "DELETE": _INGEST})
_BELOW_DOCUMENTS: Final = "/documents/"

_HOW: Final = "send one in the header Authorization, as Bearer KEY, or in X-API-Key"


class CredentialsError(Exception):
    """A request's credentials can't be understood; the message says why, and never what they are."""


def guarded(app: ASGIApp, ring: KeyRing | None, *, without: Collection[str] = ()) -> ASGIApp:
    """The application behind its keys; without a ring, which is where no key is required, as it is.

    without: paths of the table that this application doesn't have.
    """
    return app if ring is None else _Guarded(app, ring, without)


def describe_keys(schema: dict[str, Any]) -> None:
    """Add to an OpenAPI description that callers present a key, and where."""
    schema.setdefault("components", {})["securitySchemes"] = {
        "bearer": {"type": "http", "scheme": "bearer"},
        "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    }
    schema["security"] = [{"bearer": []}, {"header": []}]
    for path in (*OPEN_PATHS, _HEALTH):
        for operation in schema["paths"].get(path, {}).values():
            operation["security"] = []


def presented_key(headers: Iterable[tuple[bytes, bytes]]) -> bytes | None:
    """The key in a request's headers, whose names are in lower case; None where there is none.

    Raises CredentialsError for an Authorization that isn't a bearer's and for two keys that differ.
    """
    keys = set()
    other_scheme = False
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.strip().partition(b" ")
            if scheme.lower() == b"bearer" and key.strip():
                keys.add(key.strip())
            else:
                other_scheme = True
        elif name == b"x-api-key" and value.strip():
            keys.add(value.strip())
    if len(keys) > 1:
        raise CredentialsError("there are several keys in the headers, and they differ: send one")
    if keys:
        return keys.pop()
    if other_scheme:
        raise CredentialsError(f"the header Authorization holds no bearer's key: {_HOW}")
    return None


class _Guarded:
    """Plain ASGI, as everything on a request's way."""

    def __init__(self, app: ASGIApp, ring: KeyRing, without: Collection[str]) -> None:
        self._app = app
        self._ring = ring
        self._guards = {guard.path: guard for guard in GUARDS if guard.path not in without}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what the caller may do; answer the rest, without reading its body."""
        if scope["type"] == "http":
            refusal = None if scope["path"] in OPEN_PATHS else self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
        elif scope["type"] != "lifespan":
            raise RuntimeError(f"nobody is let in by {scope['type']}")
        await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> Response | None:
        """The answer to a caller who may not go on, or None; notes in the scope who it is."""
        path = scope["path"]
        guard = self._guards.get(path)
        if guard is None and path.startswith(_BELOW_DOCUMENTS):
            guard = DOCUMENT_GUARD
        try:
            presented = presented_key(scope["headers"])
        except CredentialsError as error:
            return _unauthorized(scope, guard, str(error))
        if presented is None:
            if guard is not None and guard.path == _HEALTH:
                scope[ANONYMOUS] = True
                return None
            return _unauthorized(scope, guard, f"there is no API key in the headers: {_HOW}")
        key = self._ring.find(presented)
        if key is None:
            return _unauthorized(scope, guard, "the API key is not one of this service", "invalid_token")
        scope[KEY_NAME] = key.name
        return _beyond(scope, guard, key)


def _beyond(scope: Scope, guard: Guard | None, key: ApiKey) -> Response | None:
    """The answer to a caller whose key is right and who still can't go on, or None."""
    if guard is None:
        return closing(scope, None, problem_response(Request(scope), NOT_FOUND, f"no route {scope['path']}"))
    needed = guard.roles.get(scope["method"])
    if needed is None:
        allowed = ", ".join(sorted(guard.roles))
        response = problem_response(Request(scope), METHOD_NOT_ALLOWED, f"the methods here are {allowed}")
        response.headers["Allow"] = allowed
        return closing(scope, guard, response)
    if needed.isdisjoint(key.roles):
        return _forbidden(scope, guard, key, needed)
    return None


def _unauthorized(scope: Scope, guard: Guard | None, detail: str, fault: str = "") -> Response:
    response = problem_response(Request(scope), UNAUTHORIZED, detail)
    # RFC 6750, section 3: an error only where a key was presented.
    response.headers["WWW-Authenticate"] = f'Bearer error="{fault}"' if fault else "Bearer"
    return closing(scope, guard, response)


def _forbidden(scope: Scope, guard: Guard, key: ApiKey, needed: frozenset[Role]) -> Response:
    wanted, has = " or ".join(sorted(needed)), " and ".join(sorted(key.roles))
    detail = f"this needs a key with the role {wanted}; the key {key.name} has {has}"
    response = problem_response(Request(scope), FORBIDDEN, detail)
    response.headers["WWW-Authenticate"] = 'Bearer error="insufficient_scope"'
    return closing(scope, guard, response)


def closing(scope: Scope, guard: Guard | None, response: Response) -> Response:
    """The response, after which the connection ends if there is a body: nobody reads what is left of it."""
    if guard is not None:
        scope["route"] = guard  # for the metrics, which otherwise would not know what was asked for
    headers = Headers(scope=scope)
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        response.headers["Connection"] = "close"
    return response
