"""Starting the service as a user does: ``ragfleet up``."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

MANIFEST = dedent(
    """\
    apiVersion: ragfleet.dev/v1alpha1
    kind: RAGPipeline
    metadata: {name: test}
    spec:
      vectorStore: {type: Embedded}
      generation: {type: Extractive}
      auth: {required: false}
    """
)


@dataclass(frozen=True)
class RunningService:
    """A service that has said that it is ready."""

    url: str
    process: subprocess.Popen[str]
    data: Path
    log: Path

    def kill(self) -> None:
        """End it as a crash would."""
        self.process.kill()
        self.process.wait(30)


def up_command(folder: Path, *arguments: str) -> list[str]:
    """``ragfleet up`` over ``folder``, on a free port; writes the manifest beside the data."""
    folder.mkdir(parents=True, exist_ok=True)
    manifest = folder / "pipeline.yaml"
    if not manifest.exists():
        manifest.write_text(MANIFEST)
    base = [sys.executable, "-m", "ragfleet_cli", "up", "-f", str(manifest), "--data", str(folder / "data")]
    return [*base, "--port", "0", *arguments]


@contextmanager
def running_service(
    folder: Path, arguments: Sequence[str] = (), environment: Mapping[str, str] | None = None
) -> Iterator[RunningService]:
    """A service until the block ends; its log is in ``folder``."""
    log = folder / "service.log"
    command = up_command(folder, *arguments)
    with (
        log.open("a") as stderr,
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            env={**os.environ, **(environment or {})},
        ) as process,
    ):
        try:
            yield RunningService(_address(process, log), process, folder / "data", log)
        finally:
            process.terminate()
            process.wait(60)


def _address(process: subprocess.Popen[str], log: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        for word in line.split():
            if word.startswith("http://"):
                return word
    raise AssertionError(f"the service ended with code {process.wait()}: {log.read_text()}")
