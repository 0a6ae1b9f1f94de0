"""Errors that reach a person: each message is one line and says what to change."""

from __future__ import annotations

from typing import Literal

ProviderFault = Literal[
    "unauthorized",  # 401, or no key where one is asked for
    "forbidden",  # 403
    "not_found",  # 404: no such model or path
    "invalid_request",  # 400, 413, 422
    "rate_limited",  # 429
    "overloaded",  # 503, 529
    "unavailable",  # other 5xx, refused connections
    "timeout",
    "bad_response",  # not what the protocol says: broken JSON, wrong dimensions, a stream that breaks off
]


class StartError(Exception):
    """The service can't start with this configuration, data folder or port."""


class CollectionError(StartError):
    """The embedded collection can't be opened as it is: another's, of other settings, in use or damaged."""


class StorageError(Exception):
    """The documents or the index can't be read or written; the message is the store's own."""


class StorageFullError(StorageError):
    """There is no room to write; nothing of the batch was accepted."""


class EngineError(StorageError):
    """The engine failed an operation; the message is the engine's own."""


class DeadlineError(Exception):
    """A request's time ran out; the message says at what."""


class UnavailableError(StorageError):
    """The storage or a part of it can't be reached now, and may be again in ``retry_after`` seconds."""

    def __init__(self, message: str, *, retry_after: float = 5.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class UncertainError(Exception):
    """What became of a commit isn't known, or not all of it stands: nothing of it may be cleaned up.

    Not a StorageError, whose meaning is that nothing was committed. The sweeper finds out later.
    """


class NotOpenYetError(Exception):
    """The service can't open its collection now; it tries again by itself. The message says what is wrong."""


class ProviderError(Exception):
    """A model's provider failed; the message is one line, names the provider, and holds no secret.

    retry_after: seconds after which the provider asks to be called again, where it said so.
    """

    def __init__(
        self, provider: str, fault: ProviderFault, message: str, *, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{provider}: {message}")
        self.provider = provider
        self.fault = fault
        self.retry_after = retry_after

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed later without a change of settings."""
        return self.fault in ("rate_limited", "overloaded", "unavailable", "timeout", "bad_response")
