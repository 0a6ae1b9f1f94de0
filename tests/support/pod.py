"""The service as its pod runs it: ``ragfleet serve`` over a folder of mounted configuration and Secrets."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ragfleet_api.config.runtime import RuntimeConfig
from support.mounted_secret import mount

TOKEN = "admin-token-of-the-test-0123456789"
KEYS = {f"default.{role}": f"key-for-{role}-of-the-test" for role in ("query", "ingest", "admin")}


@dataclass(frozen=True)
class PodFolder:
    """What is mounted into a pod."""

    path: Path

    @property
    def config(self) -> Path:
        return self.path / "config.json"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets"

    @property
    def data(self) -> Path:
        return self.path / "data"

    def command(self, *arguments: str) -> list[str]:
        """``ragfleet serve`` on free ports."""
        base = [sys.executable, "-m", "ragfleet_cli", "serve", "--config", str(self.config)]
        base += ["--secrets-dir", str(self.secrets), "--data", str(self.data)]
        return [*base, "--port", "0", "--admin-port", "0", *arguments]


@dataclass(frozen=True)
class RunningPod:
    """A service that listens. Its log is JSON, an event a line."""

    url: str
    admin: str
    process: subprocess.Popen[bytes]
    log: Path

    def events(self) -> list[dict[str, Any]]:
        """What it has logged."""
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def ask(self, path: str, token: str | None = TOKEN) -> httpx.Response:
        """GET from the admin port."""
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        return httpx.get(self.admin + path, headers=headers, timeout=30)

    def status(self) -> dict[str, Any]:
        """What GET /status says."""
        found: dict[str, Any] = self.ask("/status").raise_for_status().json()
        return found

    def post(self, path: str, body: Any, role: str = "admin") -> httpx.Response:
        """POST to the public port with a key."""
        headers = {"Authorization": f"Bearer {KEYS[f'default.{role}']}"}
        return httpx.post(self.url + path, json=body, headers=headers, timeout=30)

    def wait_until_ready(self, seconds: float = 30) -> None:
        """Wait for GET /ready."""
        until(lambda: httpx.get(f"{self.url}/ready", timeout=30).status_code == 200, seconds)

    def stop(self) -> int:
        """Send SIGTERM and wait for the end; returns the exit code."""
        self.process.terminate()
        return self.process.wait(60)


def pod_folder(path: Path, config: RuntimeConfig, **secrets: Mapping[str, str]) -> PodFolder:
    """A pod's folder with its configuration, API keys and admin token; ``secrets`` are further ones."""
    folder = PodFolder(path)
    path.mkdir(parents=True, exist_ok=True)
    folder.config.write_text(config.canonical_json())
    mount(folder.secrets / f"{config.owner.name}-admin", {"token": TOKEN})
    if config.auth.required:
        mount(folder.secrets / config.auth.secret, KEYS)
    for name, entries in secrets.items():
        mount(folder.secrets / name, entries)
    return folder


@contextmanager
def running_pod(
    folder: PodFolder,
    arguments: Sequence[str] = (),
    *,
    before: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[RunningPod]:
    """A service until the block ends, once it listens. before: a command that runs the service's."""
    log = folder.path / "service.log"
    command = [*before, *folder.command(*arguments)]
    given = os.environ if environment is None else environment
    with log.open("wb") as stderr, subprocess.Popen(command, stderr=stderr, env=dict(given)) as process:
        try:
            event = _listening(process, log)
            yield RunningPod(event["address"], event["admin_address"], process, log)
        finally:
            if process.poll() is None:
                process.terminate()
            process.wait(60)


def until(holds: Callable[[], bool], seconds: float = 10) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it didn't happen in time"
        time.sleep(0.05)


def _listening(process: subprocess.Popen[bytes], log: Path) -> dict[str, Any]:
    end = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < end:
        for line in log.read_bytes().splitlines(keepends=True):
            if line.endswith(b"\n") and b'"listening"' in line:
                found: dict[str, Any] = json.loads(line)
                return found
        time.sleep(0.02)
    raise AssertionError(f"the service doesn't listen (code {process.poll()}): {log.read_text()}")
