"""The token of the admin port, as its Secret holds it now."""

from __future__ import annotations

import asyncio
import hmac
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import structlog

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.guard.entries import digest_of, value_fault
from ragfleet_runtime.guard.keys import CHECK_SECONDS
from ragfleet_runtime.secrets import MissingSecretError, SecretSource

TOKEN_ENTRY: Final = "token"  # noqa: S105 (the entry's name)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class AdminToken:
    """The token of a Secret's entry "token". While there is none, nobody is let in."""

    def __init__(self, source: SecretSource, secret: str) -> None:
        self._source = source
        self._ref = SecretKeyRef(name=secret, key=TOKEN_ENTRY)
        self._digest: bytes | None = None
        self._fault: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._ref.name!r})"

    def allows(self, presented: bytes) -> bool:
        """Whether it is the token. Digests are compared, in constant time."""
        digest = digest_of(presented)
        return self._digest is not None and hmac.compare_digest(self._digest, digest)

    def reload(self) -> None:
        """Read the Secret again; what can't be read lets nobody in. Blocks for a moment."""
        try:
            value = self._source.read(self._ref)
        except MissingSecretError as error:
            self._refuse(str(error))
        except Exception as error:  # whatever it is, the door shuts
            self._refuse(f"the Secret {self._ref.name} can't be read ({type(error).__name__})")
        else:
            self._take(value)

    def _take(self, value: str) -> None:
        fault = value_fault(value)
        if fault is not None:
            self._refuse(f"the entry {TOKEN_ENTRY} of the Secret {self._ref.name} can't be a token: {fault}")
            return
        digest = digest_of(value.encode())
        if digest != self._digest:
            log.info("admin token read", secret=self._ref.name)
        self._digest, self._fault = digest, None

    def _refuse(self, fault: str) -> None:
        if fault != self._fault:
            log.warning("the admin port has no token and answers /live alone", reason=fault)
        self._digest, self._fault = None, fault


@asynccontextmanager
async def open_admin_token(
    source: SecretSource, secret: str, *, every: float = CHECK_SECONDS
) -> AsyncIterator[AdminToken]:
    """The token of the Secret, read again ``every`` so many seconds. A missing one is waited for."""
    token = AdminToken(source, secret)
    await asyncio.to_thread(token.reload)
    watching = asyncio.create_task(_watch(token, every))
    try:
        yield token
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(token: AdminToken, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        await asyncio.to_thread(token.reload)
