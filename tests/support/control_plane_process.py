"""Programs that end with the process that started them, whatever ends it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

_PARENT_DIED = 1  # PR_SET_PDEATHSIG of prctl(2)
_LOG_LINES = 15

# Set in the child between its start and the program's, which keeps it.
_EXEC = f"""
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl({_PARENT_DIED}, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the process that started this one is gone")
os.execv(sys.argv[2], sys.argv[2:])
"""


class ProgramError(Exception):
    """A program ended, or didn't do in time what it was started for."""


class Spawner:
    """Starts programs from one thread that lives as long as they may.

    The signal of prctl(2) comes when the *thread* that forked ends, so programs that a worker thread started
    would end with it.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="spawner")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.shutdown()

    def start(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        """Start a program in a process group of its own, with its output appended to a file."""
        return self._thread.submit(_start, command, log).result()


def _start(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    # A user's settings of etcd, kubectl or KWOK aren't those of the tests.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ETCD_")}
    environment["HOME"] = str(log.parent)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-IS", "-c", _EXEC, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            process_group=0,  # Ctrl-C is for the tests, which then stop it in order
        )


class Program:
    """One program of the control plane: started, paused, ended and started again with the same arguments."""

    def __init__(self, spawner: Spawner, command: list[str], log: Path) -> None:
        self.name = log.stem
        self.log = log
        self._spawner = spawner
        self._command = command
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.poll() is None else None

    def start(self) -> None:
        """Start it; nothing where it runs."""
        if self.pid is None:
            self._process = self._spawner.start(self._command, self.log)

    def check(self) -> None:
        """Raises ProgramError, with the end of its log, where it doesn't run."""
        if self.pid is None:
            raise ProgramError(f"{self.name} isn't running; the end of its log:\n{self.tail()}")

    def pause(self) -> None:
        """Take its processor time away: it keeps its connections and answers nothing. Raises ProgramError."""
        self._signal(signal.SIGSTOP)
        self.check()
        if self._process is not None:  # threads run on for a moment
            os.waitid(os.P_PID, self._process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def resume(self) -> None:
        """Let a paused program go on."""
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it at once; nothing where it doesn't run."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def tail(self) -> str:
        """The last lines of its log."""
        lines = self.log.read_text(errors="replace").splitlines() if self.log.exists() else []
        return "\n".join(lines[-_LOG_LINES:])

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(number)
