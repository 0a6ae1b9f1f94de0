"""The service under measurement: a process of its own, pinned where the measurement asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

MANIFEST = Path("examples/quickstart/pipeline.yaml")


@dataclass(frozen=True)
class Service:
    """A running service."""

    url: str
    process: psutil.Process
    seconds_to_ready: float

    def cpu_seconds(self) -> float:
        """CPU time that the service has used, its worker processes included."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in processes)

    def resident_bytes(self) -> int:
        """Resident memory of the service and its worker processes."""
        processes = [self.process, *self.process.children(recursive=True)]
        return sum(process.memory_info().rss for process in processes)


@contextmanager
def running(
    folder: Path,
    *,
    cpus: Sequence[int] | None = None,
    manifest: Path = MANIFEST,
    arguments: Sequence[str] = (),
) -> Iterator[Service]:
    """A manifest's service over a data folder, until the block ends; by default that of the quickstart."""
    command = [
        sys.executable,
        "-m",
        "ragfleet_cli",
        "up",
        "-f",
        str(manifest),
        "--data",
        str(folder),
        "--port",
        "0",
        *arguments,
    ]
    start = time.perf_counter()
    with _start(command, cpus) as process:
        try:
            url = _address(process)
            yield Service(url, psutil.Process(process.pid), time.perf_counter() - start)
        finally:
            process.terminate()
            process.wait(30)


def _start(command: Sequence[str], cpus: Sequence[int] | None) -> subprocess.Popen[str]:
    """Start a process on the given processors, or on all: it inherits them, and so do all its threads."""
    own = os.sched_getaffinity(0)
    os.sched_setaffinity(0, range(os.cpu_count() or 1) if cpus is None else cpus)
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    finally:
        os.sched_setaffinity(0, own)


def _address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://"):
                return word
    raise RuntimeError(f"the service ended with code {process.wait()} before it was ready")
