"""HTTP sessions with the API server, for watches: ours and kopf's."""

from __future__ import annotations

from collections.abc import Sequence

import aiohttp
from kubernetes.aio.client import Configuration
from kubernetes.aio.client.rest import RESTClientObject


class Access:
    """Where the API server is, and sessions that may talk to it."""

    def __init__(self, configuration: Configuration) -> None:
        self._configuration = configuration
        # The client's own reading of certificates, so that there is one.
        self._tls = RESTClientObject(configuration).ssl_context

    @property
    def server(self) -> str:
        """Its address, without a slash at the end."""
        address: str = self._configuration.host
        return address.rstrip("/")

    def session(self, middlewares: Sequence[aiohttp.ClientMiddlewareType] = ()) -> aiohttp.ClientSession:
        """A new session, without a limit of connections; the caller closes it."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self._tls),
            headers={"User-Agent": "ragfleet-operator"},
            middlewares=(*middlewares, self._authorize),
            proxy=self._configuration.proxy,
        )

    async def _authorize(
        self, request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
    ) -> aiohttp.ClientResponse:
        # For each request: a pod's token is renewed every hour.
        bearer = (await self._configuration.auth_settings()).get("BearerToken")
        if bearer is not None and bearer["value"]:
            request.headers["Authorization"] = bearer["value"]
        return await handler(request)
