"""One control plane for all of these tests, with a namespace for each."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from ragfleet_operator.kinds import PIPELINE
from support.control_plane import ControlPlane, control_plane
from support.control_plane_binaries import MissingProgramsError, find_programs

_DEFINITION = Path(__file__).parents[2] / "crds" / "ragpipelines.yaml"


@pytest.fixture(scope="session", name="control_plane")
def running_control_plane() -> Iterator[ControlPlane]:
    """A control plane that knows RAGPipelines. Skips where its programs aren't built, unless CI is set."""
    try:
        find_programs()
    except MissingProgramsError as error:
        if os.environ.get("CI"):
            raise
        pytest.skip(str(error))
    with control_plane() as cluster:
        cluster.kubectl("apply", "--server-side", "-f", str(_DEFINITION))
        cluster.kubectl("wait", "--for=condition=Established", "--timeout=30s", "-f", str(_DEFINITION))
        # Established, it may still answer 429 for a moment: its storage is being made.
        cluster.wait_for(lambda client: client.get(PIPELINE.path(None)).is_success, "the kind's storage")
        yield cluster


@pytest.fixture
def namespace(control_plane: ControlPlane) -> Iterator[str]:
    """The name of a fresh namespace, where pods can run; deleted afterwards without waiting."""
    name = f"test-{uuid.uuid4().hex[:8]}"
    control_plane.kubectl("create", "namespace", name)
    control_plane.kubectl("wait", "--for=create", "serviceaccount/default", "--timeout=30s", namespace=name)
    yield name
    control_plane.kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
