"""Operators that are forked from a process that has loaded the program, so that many can be killed.

Loading takes the most of an operator's start. A fork begins where its ``main`` would: with no loop, no
thread and no connection.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

_PARENT_DIED: Final = 1  # PR_SET_PDEATHSIG of prctl(2)
_PROGRAM: Final = f"""
import ctypes, json, os, signal, sys
from pathlib import Path
from ragfleet_operator.app import Options, run

def operate(order):
    log = os.open(order["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    for number in (1, 2):
        os.dup2(log, number)
    names = tuple(order["namespaces"])
    return run(Options(order["image"], names, kubeconfig=Path(order["kubeconfig"]), health_port=0))

for line in sys.stdin:
    pid = os.fork()
    if not pid:
        code = 70
        try:
            ctypes.CDLL(None).prctl({_PARENT_DIED}, signal.SIGKILL)
            code = operate(json.loads(line))
        finally:
            os._exit(code)
    print(pid, flush=True)
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
"""


class Fork:
    """A forked operator. log: of all of them, one after the other."""

    def __init__(self, pid: int, answers: IO[str], log: Path) -> None:
        self.pid = pid
        self._answers = answers
        self._log = log
        self._is_over = False

    @property
    def log(self) -> str:
        """What it and those before have logged."""
        return self._log.read_text(errors="replace")

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended; whether it has."""
        if not self._is_over and select.select([self._answers], [], [], seconds)[0]:
            self._answers.readline()
            self._is_over = True
        return self._is_over

    def kill(self) -> None:
        """SIGKILL."""
        if not self._is_over:
            os.kill(self.pid, signal.SIGKILL)


class Forks:
    """Starts operators, one at a time."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.log = log
        self._process = process

    def start(self, image: str, namespaces: Sequence[str], kubeconfig: Path) -> Fork:
        """Start one; the one before has ended."""
        orders, answers = self._process.stdin, self._process.stdout
        assert orders is not None
        assert answers is not None
        order = {
            "image": image,
            "namespaces": list(namespaces),
            "kubeconfig": str(kubeconfig),
            "log": str(self.log),
        }
        orders.write(json.dumps(order) + "\n")
        orders.flush()
        return Fork(int(answers.readline()), answers, self.log)


@contextmanager
def forks(log: Path) -> Iterator[Forks]:
    """The process that others are forked from, until the end of the block. log: where operators log."""
    with subprocess.Popen(
        [sys.executable, "-c", _PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        try:
            yield Forks(process, log)
        finally:
            process.kill()
            time.sleep(0.1)  # for those that it forked, which end with it
