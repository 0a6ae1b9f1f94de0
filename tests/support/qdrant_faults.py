"""Faults that the Qdrant server of the tests can be told to have. Test code only: see ``qdrant_server``."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

READ_ONLY_DISK = "Service internal error: IO Error: Read-only file system (os error 30)"


@dataclass
class Fault:
    """What happens to requests of a method whose path ends like this: ``times`` of them, or all.

    status: answered with this instead, and with ``message``; 0 breaks the connection off. retry_after:
    seconds, as a header. seconds: how long the answer takes. carries_out: the request has its effect all the
    same, and only its answer is lost.
    """

    method: str = ""
    path_end: str = ""
    status: int | None = None
    message: str = "scripted"
    retry_after: int | None = None
    seconds: float = 0.0
    carries_out: bool = False
    times: int | None = None
    matches: Callable[[str], bool] = field(default=lambda _: True)


class Faults:
    """The faults of one server, the first that fits counts."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> Fault:
        """Have it from now on."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """Have none."""
        with self._lock:
            self._faults.clear()

    def next(self, method: str, path: str) -> Fault | None:
        """The fault of a request, counted."""
        with self._lock:
            for fault in self._faults:
                if fault.method not in ("", method) or not path.endswith(fault.path_end):
                    continue
                if not fault.matches(path):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._faults.remove(fault)
                return fault
        return None
