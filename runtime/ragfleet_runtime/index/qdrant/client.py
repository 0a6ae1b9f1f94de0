"""A connection to a Qdrant server: pooled, retried, with the key and the authority of its secrets."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Generator
from typing import TypeVar

import httpx
import stamina
from qdrant_client import AsyncQdrantClient
from qdrant_client.http import AsyncApis
from qdrant_client.http import models as q
from qdrant_client.http.api_client import AsyncApiClient

from ragfleet_api.config.store import QdrantConfig
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.errors import EngineError, StartError
from ragfleet_runtime.index.qdrant.faults import CALL_ERRORS, TransientError, storage_error
from ragfleet_runtime.secrets import SecretSource

OLDEST = (1, 18)

_FIRST_WAIT_SECONDS = 0.1
_LONGEST_WAIT_SECONDS = 5.0
_JITTER_SECONDS = 0.2
# A server that asks for a longer pause than this gets it from our caller, who is told when to come again.
_MOST_PATIENCE_SECONDS = 10.0

Api = AsyncApis[AsyncApiClient]
R = TypeVar("R")


class Server:
    """A Qdrant server. Every call raises StorageError (or MissingIndexError, where a filter needs an index).

    All that the service writes is idempotent by id, so that every call may be made again.
    """

    def __init__(self, client: AsyncQdrantClient, config: QdrantConfig) -> None:
        self._client = client
        self._url = config.url
        self._timeout = config.timeout_seconds
        self._attempts = config.max_retries + 1

    async def call(self, doing: str, function: Callable[[Api], Awaitable[R]]) -> R:
        """Make a call, again where its failure may pass. ``doing`` is for messages, as in "searching"."""
        retries = stamina.retry_context(
            _pause,
            attempts=self._attempts,
            timeout=None,
            wait_initial=_FIRST_WAIT_SECONDS,
            wait_max=_LONGEST_WAIT_SECONDS,
            wait_jitter=_JITTER_SECONDS,
        ).with_name(f"qdrant: {doing}", (), {})
        async for attempt in retries:
            with attempt:
                return await self._once(doing, function)
        raise AssertionError("a retry context ends by a result or an error")

    async def write(
        self, doing: str, collection: str, method: str, path: str, body: bytes, *, in_order: bool
    ) -> None:
        """Send an update as JSON made by the caller, and wait until every search sees it.

        path: what comes after /collections/NAME/, as in "points". in_order: through the shard's leader, so
        that conditions are judged in one order everywhere.
        """
        params = {"wait": "true"} | ({"ordering": "strong"} if in_order else {})

        async def send(api: Api) -> list[q.UpdateResult]:
            kind: type[q.InlineResponse20018] | type[q.InlineResponse2008] = (
                q.InlineResponse20018 if path.endswith("/batch") else q.InlineResponse2008
            )
            answer: q.InlineResponse20018 | q.InlineResponse2008 = await api.client.request(
                type_=kind,
                method=method,
                url="/collections/{collection_name}/" + path,
                path_params={"collection_name": collection},
                headers={"Content-Type": "application/json"},
                params=params,
                content=body,
            )
            result = answer.result or []
            return result if isinstance(result, list) else [result]

        for result in await self.call(doing, send):
            if result.status != q.UpdateStatus.COMPLETED:
                raise TransientError(
                    f"the Qdrant server at {self._url} hasn't carried a write out yet, {doing}"
                )

    async def require_version(self) -> None:
        """Raise StartError where the server is too old."""
        found = (await self.call("asking for its version", lambda api: api.service_api.root())).version
        numbers = found.split("-")[0].split(".")[:2]
        if not all(number.isdecimal() for number in numbers) or tuple(map(int, numbers)) < OLDEST:
            raise StartError(
                f"the Qdrant server at {self._url} is version {found}: "
                f"upgrade it to {OLDEST[0]}.{OLDEST[1]} or newer"
            )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.close()

    async def _once(self, doing: str, function: Callable[[Api], Awaitable[R]]) -> R:
        try:
            # The client's own timeout counts between bytes; this one is for the whole answer.
            async with asyncio.timeout(self._timeout):
                return await function(self._client.http)
        except (*CALL_ERRORS, TimeoutError) as error:
            raise storage_error(error, doing, self._url) from error


def connect(config: QdrantConfig, secrets: SecretSource) -> Server:
    """A connection, not tried yet. The key is read for each call, the authority's certificate now.

    Raises EngineError where the certificate isn't one, MissingSecretError where it isn't there.
    """
    client = AsyncQdrantClient(
        url=config.url,
        port=None,  # without a port in the address, that of its scheme
        timeout=config.timeout_seconds,
        check_compatibility=False,  # it warns from a thread; require_version checks
        limits=httpx.Limits(
            max_connections=config.max_connections, max_keepalive_connections=config.max_connections
        ),
        verify=True if config.ca is None else _trusting(secrets.read(config.ca), config.ca),
        auth=None if config.api_key is None else _ApiKey(secrets, config.api_key),
    )
    return Server(client, config)


class _ApiKey(httpx.Auth):
    """Sends the key as it is now. The client's own ``api_key`` is fixed, and warns where there is no TLS."""

    def __init__(self, secrets: SecretSource, ref: SecretKeyRef) -> None:
        self._secrets = secrets
        self._ref = ref

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """See httpx.Auth."""
        request.headers["api-key"] = self._secrets.read(self._ref)
        yield request


def _trusting(certificate: str, ref: SecretKeyRef) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cadata=certificate)
    except (ssl.SSLError, ValueError) as error:
        raise EngineError(
            f"the entry {ref.key} of Secret {ref.name} isn't a certificate in PEM form: "
            "spec.vectorStore.qdrant.caSecretRef needs that of the server's authority"
        ) from error


def _pause(error: Exception) -> bool | float:
    """Whether to call again after the error: with growing waits, or when the server asked for it."""
    if not isinstance(error, TransientError):
        return False
    if error.asked_to_wait is None:
        return True
    return error.asked_to_wait if error.asked_to_wait <= _MOST_PATIENCE_SECONDS else False
