"""A process that runs one function after another for its parent, under a limit of memory.

The parent starts this file as a program and speaks with it over pipes. A message is its length (8 bytes, big
endian) and a pickle. The first is ``(search path, bytes)``: where modules are found, and the memory that the
work may take; it is answered ``READY``. A call is ``(function, arguments, seconds)``, and its answer is
``(status, value, retires)``, see ``Status``; a process that retires has grown and should be replaced.

Little of the standard library is imported, and nothing else: starting takes a few hundredths of a second.
"""

from __future__ import annotations

import os
import pickle
import resource
import signal
import sys
from typing import BinaryIO

READY = "ready"
LENGTH_BYTES = 8

_RETIRE_AT_BYTES = 256 * 2**20
_GRACE_SECONDS = 5
_PAGE_BYTES = resource.getpagesize()


class Status:
    """What became of a call, and so what its value is."""

    RETURNED = 0  # the function's result
    REFUSED = 1  # the message of its ParseError
    OUT_OF_MEMORY = 2  # None
    FAILED = 3  # any other exception: its traceback


def main() -> None:
    """Serve calls until the parent closes the pipe."""
    requests = os.fdopen(os.dup(0), "rb")
    replies = os.fdopen(os.dup(1), "wb")
    # What a library prints must not end up in a reply.
    nowhere = os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    start = _receive(requests)
    if start is None:
        return
    sys.path[:], memory_bytes = pickle.loads(start)  # noqa: S301, the parent's own
    _send(replies, pickle.dumps(READY))
    is_limited = False
    while (call := _receive(requests)) is not None:
        reply = _answer(call, None if is_limited else memory_bytes)
        signal.setitimer(signal.ITIMER_REAL, 0)
        _send(replies, reply)
        is_limited = True


def _answer(call: bytes, memory_bytes: int | None) -> bytes:
    from ragfleet_runtime.ingest.model import ParseError  # noqa: PLC0415, found by the parent's search path

    try:
        function, arguments, seconds = pickle.loads(call)  # noqa: S301, the parent's own
        # Should the parent be gone when the time is up, nobody else would end a call that hangs.
        signal.setitimer(signal.ITIMER_REAL, seconds + _GRACE_SECONDS)
        if memory_bytes is not None:  # once, now that the function's modules are loaded
            _limit_memory(memory_bytes)
        return _reply(Status.RETURNED, function(*arguments))
    except ParseError as error:
        return _reply(Status.REFUSED, str(error))
    except MemoryError:
        return _reply(Status.OUT_OF_MEMORY, None)
    except Exception:
        import traceback  # noqa: PLC0415, seldom needed

        return _reply(Status.FAILED, traceback.format_exc())


def _reply(status: int, value: object) -> bytes:
    return pickle.dumps((status, value, _statm()[1] > _RETIRE_AT_BYTES), pickle.HIGHEST_PROTOCOL)


def _limit_memory(more_bytes: int) -> None:
    """Let the process map that much more than it has mapped."""
    most = _statm()[0] + more_bytes
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    resource.setrlimit(resource.RLIMIT_AS, (most, hard))


def _statm() -> tuple[int, int]:
    """Mapped and resident bytes (proc(5))."""
    with open("/proc/self/statm", "rb") as file:  # noqa: PTH123, pathlib takes time to import
        mapped, resident = file.read().split()[:2]
    return int(mapped) * _PAGE_BYTES, int(resident) * _PAGE_BYTES


def _receive(stream: BinaryIO) -> bytes | None:
    header = stream.read(LENGTH_BYTES)
    return stream.read(int.from_bytes(header, "big")) if len(header) == LENGTH_BYTES else None


def _send(stream: BinaryIO, message: bytes) -> None:
    stream.write(len(message).to_bytes(LENGTH_BYTES, "big"))
    stream.write(message)
    stream.flush()


if __name__ == "__main__":
    main()
