"""The keys that open the service, as their Secret holds them now."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

import structlog

from ragfleet_api.config.runtime import AuthConfig
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.guard.entries import MIN_CHARACTERS, NAMING, ApiKey, Keys, Refusal, find, read_keys
from ragfleet_runtime.observe.health import Verdict
from ragfleet_runtime.secrets import MissingSecretError, SecretSource

CHECK_SECONDS: Final = 2.0
_NAMED: Final = 3

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class KeyRing:
    """The API keys of a Secret. Where it has none, no key is right."""

    def __init__(self, source: SecretSource, secret: str) -> None:
        self._source = source
        self._secret = secret
        self._keys = Keys((), ())
        self._fault: str | None = None

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._secret!r}, {len(self._keys.taken)} keys)"

    def find(self, key: bytes) -> ApiKey | None:
        """The key that was presented, or None where it is not right."""
        return find(self._keys.taken, key)

    @property
    def lack(self) -> str | None:
        """Why no key is right, or None where there are keys."""
        if self._keys.taken:
            return None
        if self._fault is not None:
            return f"there are no API keys: {self._fault}"
        return _no_keys(self._secret, self._keys.refused)

    def load(self) -> None:
        """Read the Secret for the first time. Raises StartError where it has no key. Blocks for a moment."""
        try:
            self._take(read_keys(self._source.entries(self._secret)))
        except MissingSecretError as error:
            raise StartError(f"there are no API keys: {error}") from error
        if not self._keys.taken:
            raise StartError(_no_keys(self._secret, self._keys.refused))

    def reload(self) -> None:
        """Read the Secret again; where it can't be read, the keys stay as they are. Blocks for a moment."""
        try:
            keys = read_keys(self._source.entries(self._secret))
        except MissingSecretError as error:
            self._set_fault(str(error))
            return
        except Exception as error:  # whatever it is, the door stays as it was
            self._set_fault(f"the Secret {self._secret} can't be read ({type(error).__name__})")
            return
        self._set_fault(None)
        self._take(keys)

    async def check(self) -> Verdict:
        """How the keys are, as a part of the service's health."""
        lack = self.lack
        if lack is not None:
            return Verdict("failed", lack)
        if self._fault is not None:
            return Verdict("degraded", f"{self._fault}; the keys that were read before still count")
        if self._keys.refused:
            return Verdict("degraded", _told(self._secret, self._keys.refused))
        return Verdict()

    def _take(self, keys: Keys) -> None:
        if keys == self._keys:
            return
        for refusal in set(keys.refused) - set(self._keys.refused):
            log.warning(
                "an entry is no API key", secret=self._secret, entry=refusal.entry, reason=refusal.reason
            )
        self._keys = keys
        names = sorted({key.name for key in keys.taken})
        log.info("API keys read", secret=self._secret, keys=len(keys.taken), names=names)

    def _set_fault(self, fault: str | None) -> None:
        if fault is not None and fault != self._fault and self._keys.taken:
            log.warning("API keys can't be read; those read before still count", reason=fault)
        self._fault = fault


@asynccontextmanager
async def open_ring(
    auth: AuthConfig, source: SecretSource, *, every: float = CHECK_SECONDS, waits: bool = False
) -> AsyncIterator[KeyRing | None]:
    """The keys of a pipeline, read again ``every`` so many seconds; None where none is required.

    Raises StartError where one is required and there is none, unless it ``waits`` for one.
    """
    if not auth.required:
        yield None
        return
    ring = KeyRing(source, auth.secret)
    await asyncio.to_thread(ring.reload if waits else ring.load)
    watching = asyncio.create_task(_watch(ring, every))
    try:
        yield ring
    finally:
        watching.cancel()
        await asyncio.wait([watching])


async def _watch(ring: KeyRing, every: float) -> None:
    while True:
        await asyncio.sleep(every)
        await asyncio.to_thread(ring.reload)


def _no_keys(secret: str, refused: Sequence[Refusal]) -> str:
    why = f"; {_told(secret, refused)}" if refused else ""
    return (
        f"the Secret {secret} holds no API key: name its entries {NAMING}, with values of at least "
        f"{MIN_CHARACTERS} characters{why}"
    )


def _told(secret: str, refused: Sequence[Refusal]) -> str:
    told = "; ".join(f"{refusal.entry}: {refusal.reason}" for refusal in refused[:_NAMED])
    more = f"; and {len(refused) - _NAMED} more" if len(refused) > _NAMED else ""
    return f"entries of the Secret {secret} are no API keys: {told}{more}"
