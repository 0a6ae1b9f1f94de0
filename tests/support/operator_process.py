"""``ragfleet operator`` as a process, against a control plane."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx

from support.control_plane import ControlPlane

IMAGE = "registry.example/ragfleet:v1"
_PROBES = re.compile(r'"probes":\s*"(http://[^"]+)"')


def tracebacks(log: str) -> list[str]:
    """The lines of an operator's log that hold a traceback, as text or as JSON."""
    return [line for line in log.splitlines() if "Traceback" in line or '"frames":' in line]


class OperatorProcess:
    """A running operator; its log is captured in a file."""

    def __init__(self, process: subprocess.Popen[bytes], log: Path) -> None:
        self.process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.process.pid

    @property
    def log(self) -> str:
        """All that it has logged."""
        return self._log.read_text(errors="replace")

    @property
    def tracebacks(self) -> list[str]:
        """The lines of its log that hold a traceback, as text or as JSON."""
        return tracebacks(self.log)

    @property
    def url(self) -> str:
        """Where its probes and metrics are; waits until it says so."""
        self.wait_until(lambda: _PROBES.search(self.log) is not None, "the address of its probes")
        found = _PROBES.search(self.log)
        assert found is not None
        return found.group(1)

    def get(self, path: str) -> httpx.Response:
        """GET a path of its probes."""
        return httpx.get(self.url + path, timeout=10, trust_env=False)

    def wait_until(self, check: Callable[[], bool], what: str, seconds: float = 30) -> None:
        """Wait until something is true. Raises AssertionError where the operator ends or the time is over."""
        deadline = time.monotonic() + seconds
        while not check():
            assert self.process.poll() is None, f"the operator has ended\n{self.log[-4000:]}"
            assert time.monotonic() < deadline, f"waited {seconds:g} s for {what}\n{self.log[-4000:]}"
            time.sleep(0.05)

    def wait_ready(self, seconds: float = 30) -> None:
        """Wait until /readyz is fine."""
        self.wait_until(self._is_ready, "the operator to be ready", seconds)

    @property
    def is_leading(self) -> bool:
        """Whether its metrics say that it writes; False where it doesn't answer."""
        try:
            return "ragfleet_operator_leading 1.0" in self.get("/metrics").text
        except httpx.TransportError:
            return False

    def wait_leading(self, seconds: float = 30) -> None:
        """Wait until it says that it leads."""
        self.wait_until(lambda: self.is_leading, "the operator to lead", seconds)

    def pause(self) -> None:
        """SIGSTOP: all of it stands still, with its connections open."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.process.send_signal(signal.SIGCONT)

    def terminate(self, seconds: float = 20) -> int:
        """SIGTERM, and the exit code. Raises subprocess.TimeoutExpired."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(seconds)

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait(10)

    def _is_ready(self) -> bool:
        try:
            return self.get("/readyz").is_success
        except httpx.TransportError:
            return False


@contextmanager
def operator_process(
    control_plane: ControlPlane,
    *options: str,
    namespaces: Sequence[str] = (),
    kubeconfig: Path | None = None,
    image: str = IMAGE,
    ready: bool = True,
) -> Iterator[OperatorProcess]:
    """Start an operator for some namespaces, or for the whole cluster, and wait until it is ready.

    It is killed at the end where it still runs. kubeconfig: whose it acts with, by default the admin's.
    """
    command = [sys.executable, "-m", "ragfleet_cli", "operator", "--image", image, "--health-port", "0"]
    for namespace in namespaces:
        command += ["--namespace", namespace]
    with tempfile.TemporaryDirectory(prefix="operator-") as folder:
        log = Path(folder, "log")
        environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig or control_plane.kubeconfig),
            "HOME": folder,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*command, *options],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=environment,
            )
        operator = OperatorProcess(process, log)
        try:
            if ready:
                operator.wait_ready()
            yield operator
        finally:
            if process.poll() is None:
                operator.kill()
