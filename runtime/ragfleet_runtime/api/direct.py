"""A short way to the most called routes.

FastAPI's own way to an endpoint (six layers of middleware, two routers, dependencies) takes a third of a
search's CPU. It stays the way of everything else, and describes these routes too.
"""

from __future__ import annotations

from collections.abc import Iterable

from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from ragfleet_runtime.api.problems import INTERNAL_ERROR, error_response


class Direct:
    """Plain ASGI in front of an application: answers some of its routes by their endpoints alone."""

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """routes: no parameters in their paths; the endpoints take the request alone and bound its body."""
        self._app = app
        self._routes = {
            (method, route.path): route
            for route in routes
            if isinstance(route, APIRoute)
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Raises what nobody foresaw, once it is answered."""
        route = self._routes.get((scope["method"], scope["path"])) if scope["type"] == "http" else None
        if route is None:
            await self._app(scope, receive, send)
            return
        scope["route"] = route  # as a router would, for the metrics
        request = Request(scope, receive)
        try:
            response: Response = await route.endpoint(request)
        except ClientDisconnect:
            return
        except Exception as error:
            refusal = error_response(request, error)
            await refusal(scope, receive, send)
            if refusal.status_code == INTERNAL_ERROR.status:
                raise
        else:
            await response(scope, receive, send)
