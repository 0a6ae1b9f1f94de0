"""Untrusted work in worker processes, with limits of time and memory."""

from __future__ import annotations

import resource
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import anyio
from anyio import to_process

from ragfleet_runtime.ingest.model import ParseError

R = TypeVar("R")


class ParserPool:
    """Runs functions in up to ``workers`` processes, each call within limits."""

    def __init__(self, workers: int, timeout_seconds: float, memory_bytes: int) -> None:
        self._limiter = anyio.CapacityLimiter(workers)
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes

    async def run(self, function: Callable[..., R], *args: object) -> R:
        """Call a top-level function in a worker; its arguments and result are pickled.

        Raises ParseError where the call takes too long or too much memory, crashes the worker, or raises it.
        """
        try:
            with anyio.fail_after(self._timeout_seconds):
                return await to_process.run_sync(
                    _limited, function, self._memory_bytes, *args, cancellable=True, limiter=self._limiter
                )
        except TimeoutError:
            raise ParseError(f"took longer than {self._timeout_seconds:g} s") from None
        except MemoryError:
            raise ParseError(f"needs more than {self._memory_bytes // 2**20} MiB") from None
        except anyio.BrokenWorkerProcess:
            raise ParseError("the parser crashed on this file") from None
        except ParseError:
            raise
        except Exception as error:
            raise ParseError(f"the parser failed: {type(error).__name__}") from error

    async def aclose(self) -> None:
        """End the workers."""


def _limited(function: Callable[..., R], memory_bytes: int, *args: object) -> R:
    if resource.getrlimit(resource.RLIMIT_AS)[0] == resource.RLIM_INFINITY:
        mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (mapped + memory_bytes, mapped + memory_bytes))
    return function(*args)
