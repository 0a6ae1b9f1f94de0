"""Operators as processes, and what the system says of them."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from bench.fleet.pipelines import SETTINGS
from support.operator_process import OperatorProcess

# Namespace and name of the Lease that operators with one share.
LEASE = (SETTINGS.namespace, "ragfleet-operator")
_WITH_LEASE = ("--leader-election", "--lease-namespace", LEASE[0], "--lease-name", LEASE[1])
_PASSES = re.compile(r'^ragfleet_operator_reconcile_duration_seconds_count\{result="success"\} (\S+)', re.M)
_DEPTH = re.compile(r"^ragfleet_operator_queue_depth (\S+)", re.M)
_LAG = re.compile(r"^ragfleet_operator_event_loop_lag_seconds (\S+)", re.M)
_KIB = 1024


@dataclass(frozen=True, slots=True)
class Usage:
    """What a process has of the machine. memory, peak: resident bytes; cpu: seconds."""

    memory: int
    peak: int
    cpu: float


class Operator:
    """A running operator."""

    def __init__(self, process: OperatorProcess) -> None:
        self.process = process

    async def wait_ready(self, seconds: float = 120) -> None:
        """Wait until /readyz is fine. Raises AssertionError."""
        await asyncio.to_thread(self.process.wait_ready, seconds)

    async def wait_passed(self, count: int, seconds: float = 300) -> None:
        """Wait until that many passes were made and none is due. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while not (  # noqa: ASYNC110 - another process is asked
                await self.passes() >= count and self._number(_DEPTH, await self._metrics()) == 0
            ):
                await asyncio.sleep(0.25)

    async def passes(self) -> int:
        """How many passes have ended well."""
        return int(self._number(_PASSES, await self._metrics()))

    async def lag(self) -> float:
        """By how many seconds its event loop was late, at most in the last half minute."""
        return self._number(_LAG, await self._metrics())

    def usage(self) -> Usage:
        """See proc_pid_status(5) and proc_pid_stat(5)."""
        folder = Path("/proc", str(self.process.pid))
        lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
        times = (folder / "stat").read_text().rpartition(")")[2].split()[11:13]
        cpu = sum(int(ticks) for ticks in times) / os.sysconf("SC_CLK_TCK")
        return Usage(_bytes(lines["VmRSS"]), _bytes(lines["VmHWM"]), cpu)

    async def _metrics(self) -> str:
        return (await asyncio.to_thread(self.process.get, "/metrics")).text

    @staticmethod
    def _number(pattern: re.Pattern[str], text: str) -> float:
        found = pattern.search(text)
        return float(found.group(1)) if found else 0.0


class Operators:
    """Starts operators with the account of a kubeconfig, and kills those that still run at the end."""

    def __init__(self, account: Path) -> None:
        self._account = account
        self._stack = ExitStack()
        self.started: list[Operator] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    async def start(
        self, image: str = SETTINGS.image, module: str = "ragfleet_cli", *, with_lease: bool = False
    ) -> Operator:
        """Start one and wait until it is ready. module: what is run as ``ragfleet``."""
        command = [sys.executable, "-m", module, "operator", "--image", image, "--cluster", SETTINGS.cluster]
        command += ["--health-port", "0", *(_WITH_LEASE if with_lease else ())]
        folder = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="operator-")))
        log = folder / "log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, "KUBECONFIG": str(self._account), "HOME": str(folder)},
            )
        self._stack.callback(_end, process)
        operator = Operator(OperatorProcess(process, log))
        self.started.append(operator)
        await operator.wait_ready()
        return operator


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.kill()
        process.wait(10)


def _bytes(kibibytes: str) -> int:
    return int(kibibytes.removesuffix("kB")) * _KIB
