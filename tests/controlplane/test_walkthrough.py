"""docs/walkthrough.md: its commands are run again, and print what it says.

RAGFLEET_WRITE_TRANSCRIPT=1 writes what they print now into it.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.control_plane import ControlPlane
from support.operator_process import operator_process
from support.transcript import normal, rewritten, run, steps

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "walkthrough.md"
NAMESPACE = "team-a"
WRITE = "RAGFLEET_WRITE_TRANSCRIPT"


@pytest.fixture
def environment(control_plane: ControlPlane, tmp_path: Path) -> Iterator[dict[str, str]]:
    """A shell whose kubectl is that of the control plane, in which the namespace is there."""
    kubeconfig = tmp_path / "kubeconfig"
    shutil.copy(control_plane.kubeconfig, kubeconfig)
    control_plane.kubectl("create", "namespace", NAMESPACE)
    (tmp_path / "kubectl").symlink_to(control_plane.kubectl_path)
    path = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
    yield {"PATH": path, "HOME": str(tmp_path), "KUBECONFIG": str(kubeconfig)}
    control_plane.kubectl("delete", "namespace", NAMESPACE, "--wait=false")


def test_the_walkthrough_goes_as_it_says(control_plane: ControlPlane, environment: dict[str, str]) -> None:
    text = DOCUMENT.read_text()
    outputs = []
    with operator_process(control_plane, namespaces=[NAMESPACE]):
        for step in steps(text):
            printed = run(step.command, ROOT, environment)
            outputs.append(printed)
            if not os.environ.get(WRITE):
                assert normal(printed) == normal(step.output), step.command
    if os.environ.get(WRITE):
        DOCUMENT.write_text(rewritten(text, outputs))
