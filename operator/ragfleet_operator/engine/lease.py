"""A Lease of the API group coordination.k8s.io/v1: what it says, and how it is read and written.

https://kubernetes.io/docs/reference/kubernetes-api/cluster-resources/lease-v1/
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, Final, NamedTuple, Protocol

import aiohttp
import orjson

from ragfleet_operator.engine.answers import refusal
from ragfleet_operator.engine.errors import ApiError, Unavailable
from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Object
from ragfleet_operator.names import MANAGED_BY, MANAGED_BY_LABEL

LEASE: Final = Kind("coordination.k8s.io", "v1", "Lease", "leases")
MOST_SECONDS: Final = 300
# With no holder: it was given back, by a holder that writes no more. As client-go does it.
_RELEASED_SECONDS: Final = 1


class Lease(NamedTuple):
    """A Lease as it was read. version: its resourceVersion. holder: "" where nobody holds it.

    seconds: for how long its holder claims it, 0 where that isn't said.
    """

    version: str
    holder: str
    seconds: int
    transitions: int
    acquired: str
    metadata: Object

    @property
    def is_released(self) -> bool:
        """Whether its last holder gave it back. One that was only emptied by hand may have a holder still."""
        return not self.holder and self.seconds == _RELEASED_SECONDS


class Leases(Protocol):
    """One Lease of a cluster. Each call raises errors.ApiError."""

    async def get(self) -> Object:
        """Read it. NotFound where there is none."""

    async def create(self, body: Object) -> Object:
        """Make it. Conflict where there is one."""

    async def update(self, body: Object) -> Object:
        """Replace it in the state of the body's resourceVersion. Conflict where it has another by now."""


class KubernetesLeases:
    """A Lease over HTTP, with connections of its own: it doesn't wait behind other calls.

    session: authenticates. server: its address. seconds: how long a call may take.
    """

    def __init__(
        self, session: aiohttp.ClientSession, server: str, namespace: str, name: str, *, seconds: float
    ) -> None:
        self._session = session
        self._all = server + LEASE.path(namespace)
        self._one = server + LEASE.path(namespace, name)
        self._name = {"name": name, "namespace": namespace}
        self._timeout = aiohttp.ClientTimeout(total=seconds)

    async def get(self) -> Object:
        """See Leases."""
        return await self._request("GET", self._one)

    async def create(self, body: Object) -> Object:
        """See Leases."""
        labels = {MANAGED_BY_LABEL: MANAGED_BY}
        return await self._request("POST", self._all, {**body, "metadata": {**self._name, "labels": labels}})

    async def update(self, body: Object) -> Object:
        """See Leases."""
        return await self._request("PUT", self._one, body)

    async def _request(self, method: str, url: str, body: Object | None = None) -> Object:
        headers = {"Accept": "application/json", "Content-Type": "application/json"}
        data = None if body is None else orjson.dumps(body)
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=self._timeout, allow_redirects=False
            ) as answer:
                return _read(answer.status, await answer.read(), answer.headers.get("Retry-After"))
        except TimeoutError:
            raise Unavailable(f"no answer from the API server within {self._timeout.total:g} s") from None
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(f"can't reach the API server ({type(error).__name__})") from None


def read_lease(obj: Object) -> Lease:
    """What a Lease says. What is strange in it counts as not said. Raises ApiError where it is no Lease."""
    metadata, spec = obj.get("metadata"), obj.get("spec") or {}
    if (
        not isinstance(metadata, Mapping)
        or not isinstance(spec, Mapping)
        or not _text(metadata, "resourceVersion")
    ):
        raise ApiError("the API server answers something that isn't a Lease")
    return Lease(
        version=_text(metadata, "resourceVersion"),
        holder=_text(spec, "holderIdentity"),
        seconds=_number(spec, "leaseDurationSeconds"),
        transitions=_number(spec, "leaseTransitions"),
        acquired=_text(spec, "acquireTime"),
        metadata=metadata,
    )


def held(lease: Lease | None, holder: str, seconds: int, now: datetime) -> Object:
    """The Lease as somebody's, or renewed where it is theirs; None: one that is made."""
    is_renewed = lease is not None and lease.holder == holder and bool(lease.acquired)
    return _body(
        lease,
        {
            "holderIdentity": holder,
            "leaseDurationSeconds": seconds,
            "acquireTime": lease.acquired if lease is not None and is_renewed else _micro(now),
            "renewTime": _micro(now),
            "leaseTransitions": 0 if lease is None else lease.transitions + (not is_renewed),
        },
    )


def vacant(seconds: int, now: datetime) -> Object:
    """A Lease that is made where there is none: whoever held the one before has its time to come back."""
    return _body(None, {"holderIdentity": "", "leaseDurationSeconds": seconds, "renewTime": _micro(now)})


def released(lease: Lease, now: datetime) -> Object:
    """The Lease as given back: the next one need not wait."""
    return _body(
        lease,
        {
            "holderIdentity": "",
            "leaseDurationSeconds": _RELEASED_SECONDS,
            "acquireTime": _micro(now),
            "renewTime": _micro(now),
            "leaseTransitions": lease.transitions,
        },
    )


def _body(lease: Lease | None, spec: Mapping[str, Any]) -> Object:
    head = {"apiVersion": LEASE.api_version, "kind": LEASE.kind}
    return {**head, "spec": spec} if lease is None else {**head, "metadata": lease.metadata, "spec": spec}


def _micro(now: datetime) -> str:
    """A MicroTime: always six digits."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _text(part: Mapping[str, Any], name: str) -> str:
    value = part.get(name)
    return value if isinstance(value, str) else ""


def _number(part: Mapping[str, Any], name: str) -> int:
    value = part.get(name)
    return value if isinstance(value, int) and value > 0 else 0


def _read(code: int, text: bytes, retry_after: str | None) -> Object:
    try:
        value = orjson.loads(text)
    except ValueError:
        value = None
    body: Object = value if isinstance(value, dict) else {}
    if code < HTTPStatus.MULTIPLE_CHOICES and body:
        return body
    raise refusal(code, body, retry_after)
