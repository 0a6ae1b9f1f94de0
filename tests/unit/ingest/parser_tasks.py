"""Functions for the worker processes of tests; they must be found by name in another process."""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from pathlib import Path

from ragfleet_runtime.ingest.model import ParseError


def echo(value: object) -> object:
    return value


def process_id() -> int:
    return os.getpid()


def environment() -> dict[str, str]:
    return dict(os.environ)


def hang() -> None:
    time.sleep(600)


def spin() -> None:
    while True:
        pass


def leave(code: int) -> None:
    os._exit(code)


def segfault() -> None:
    ctypes.string_at(0)


def kill_self() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def allocate(mebibytes: int) -> int:
    return len(bytearray(mebibytes * 2**20))


def keep(mebibytes: int) -> int:
    sys.kept = bytearray(b"x") * (mebibytes * 2**20)  # type: ignore[attr-defined]
    return os.getpid()


def refuse(message: str) -> None:
    raise ParseError(message)


def fail() -> None:
    raise LookupError("no such thing")


def unpicklable() -> object:
    return lambda: None


def shout() -> str:
    sys.stdout.write("noise on standard output")
    sys.stdout.flush()
    os.write(1, b"more noise")
    return sys.stdin.read()


def modules() -> list[str]:
    return sorted(sys.modules)


def limits() -> tuple[str, ...]:
    lines = Path("/proc/self/limits").read_text(encoding="ascii").split("\n")
    return tuple(line for line in lines if line.startswith(("Max core", "Max address")))
