"""The last question before a write is sent: whether it still may be."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final

import aiohttp
from kubernetes.aio.client import Configuration

from ragfleet_operator.engine.errors import NotLeadingError

_READS: Final = frozenset({"GET", "HEAD"})


def fence(configuration: Configuration, may_write: Callable[[], bool]) -> None:
    """Have clients that are made from a configuration ask ``may_write`` once more as a write goes out.

    engine.writes asks before that; to wait for a connection, to make one, and for the loop's turn to send can
    take long, above all in a process that was paused meanwhile. A write that may not be sent raises
    NotLeadingError, see ``told_by``.
    """

    async def begin(_: aiohttp.ClientSession, request: SimpleNamespace, started: Any) -> None:
        request.writes = started.method.upper() not in _READS

    async def check(_: aiohttp.ClientSession, request: SimpleNamespace, __: Any) -> None:
        if request.writes and not may_write():
            raise NotLeadingError("this operator isn't the one that writes")

    trace = aiohttp.TraceConfig()
    trace.on_request_start.append(begin)
    trace.on_connection_create_end.append(check)
    trace.on_connection_reuseconn.append(check)
    # Headers wait for the body, see aiohttp's StreamWriter: what is refused here has sent nothing.
    trace.on_request_chunk_sent.append(check)
    configuration.trace_configs = [*(configuration.trace_configs or ()), trace]


def told_by(error: BaseException) -> NotLeadingError | None:
    """What the fence said, where aiohttp wrapped it into an error of its own, as it does while it sends."""
    while error.__cause__ is not None:
        error = error.__cause__
    return error if isinstance(error, NotLeadingError) else None
