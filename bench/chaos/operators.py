"""The operator of a chaos: killed and started again, and weighed."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Final

import psutil

from support.operator_process import OperatorProcess

Start = Callable[[], AbstractContextManager[OperatorProcess]]

_LONGEST_LIFE_SECONDS: Final = 30.0
_LONGEST_GAP_SECONDS: Final = 3.0
_GAUGE: Final = re.compile(r"^ragfleet_operator_tasks(?:\{\})? ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Weight:
    """What an operator holds. tasks: None where its metrics don't tell."""

    megabytes: float
    descriptors: int
    sockets: int
    threads: int
    tasks: int | None


def weigh(operator: OperatorProcess) -> Weight:
    """What it holds now."""
    process = psutil.Process(operator.pid)
    found = _GAUGE.search(operator.get("/metrics").text)
    with process.oneshot():
        return Weight(
            megabytes=process.memory_info().rss / 2**20,
            descriptors=process.num_fds(),
            sockets=len(process.net_connections()),
            threads=process.num_threads(),
            tasks=None if found is None else int(float(found[1])),
        )


class Operators:
    """One operator at a time. wrong: what one did that none should; errors: what they logged as errors."""

    def __init__(self, start: Start) -> None:
        self.lives = 0
        self.wrong: list[str] = []
        self.errors: list[str] = []
        self._start = start

    def live_and_die(self, chance: random.Random, is_over: Callable[[], bool]) -> None:
        """Start operators, and kill or end each at random, until it is over."""
        while not is_over():
            with self.operator() as operator:
                deadline = time.monotonic() + chance.uniform(2, _LONGEST_LIFE_SECONDS)
                while time.monotonic() < deadline and operator.process.poll() is None and not is_over():
                    time.sleep(0.1)
                self._end(operator, gently=chance.random() < 0.3)
            time.sleep(chance.uniform(0, _LONGEST_GAP_SECONDS))

    @contextmanager
    def operator(self) -> Iterator[OperatorProcess]:
        """One operator, until the end of the block."""
        with ExitStack() as stack:
            operator = stack.enter_context(self._start())
            self.lives += 1
            try:
                yield operator
            finally:
                self._read(operator)

    def _end(self, operator: OperatorProcess, *, gently: bool) -> None:
        if operator.process.poll() is not None:
            self.wrong.append(f"an operator ended by itself with code {operator.process.returncode}")
        elif gently:
            code = operator.terminate(30)
            if code:
                self.wrong.append(f"an operator that was told to end did so with code {code}")
        else:
            operator.kill()

    def _read(self, operator: OperatorProcess) -> None:
        self.wrong += [f"a traceback: {line[:1000]}" for line in operator.tracebacks]
        for line in operator.log.splitlines():
            if '"level":"error"' in line or '"level":"critical"' in line:
                self.errors.append(_short(line))
            elif not line.startswith("{"):
                self.wrong.append(f"a line that isn't JSON: {line[:300]}")


def _short(line: str) -> str:
    try:
        found = json.loads(line)
    except ValueError:
        return line[:300]
    return f"{found.get('logger')}: {found.get('event')} {found.get('error', '')}"[:300]
