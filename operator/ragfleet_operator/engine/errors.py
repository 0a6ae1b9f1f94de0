"""What an API server refuses, as exceptions that a program can tell apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple


class Cause(NamedTuple):
    """One cause of a refusal. field: its path in the object; message: one line without the refused value."""

    field: str
    message: str


class Held(NamedTuple):
    """A field that another manager holds. field: as in ``.spec.replicas``."""

    manager: str
    field: str


class ApiError(Exception):
    """A call of the API server didn't do what was asked. The text is one line for people."""


class ConnectError(ApiError):
    """There is no usable configuration of a cluster."""


class Conflict(ApiError):  # noqa: N818 - the words of the API
    """409. held: who holds our fields; empty where the object isn't the one or the state that was meant."""

    def __init__(self, message: str, held: Sequence[Held] = ()) -> None:
        super().__init__(message)
        self.held = tuple(held)


class Forbidden(ApiError):  # noqa: N818
    """403: a permission is missing, or admission refuses."""


class QuotaExceeded(Forbidden):
    """403: a ResourceQuota is used up."""


class NamespaceTerminating(Forbidden):
    """403: the namespace is being deleted; nothing can be made in it."""


class NotFound(ApiError):  # noqa: N818
    """404: no such object, kind or namespace."""


class Gone(ApiError):  # noqa: N818
    """410: the version asked for is no longer kept; list again."""


class Invalid(ApiError):  # noqa: N818
    """400 or 422: the API server refuses the object. immutable: it tries to change what can't change."""

    def __init__(self, message: str, causes: Sequence[Cause] = (), *, immutable: bool = False) -> None:
        super().__init__(message)
        self.causes = tuple(causes)
        self.immutable = immutable


class Unavailable(ApiError):  # noqa: N818
    """No answer in time, no connection, or a failure of the server: ask again later."""


class Unauthorized(Unavailable):
    """401: the credentials aren't accepted, perhaps for the moment while they rotate."""


class TooManyRequests(Unavailable):
    """429. retry_after: seconds that the server wants us to wait."""

    def __init__(self, message: str, retry_after: float) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class NotLeadingError(Exception):
    """Something was about to be written by an operator that may no longer write."""
