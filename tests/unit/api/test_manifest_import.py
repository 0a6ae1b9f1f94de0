"""Reading a manifest needs neither the service nor the command line."""

from __future__ import annotations

import subprocess
import sys


def test_the_api_stands_alone() -> None:
    code = "import sys, ragfleet_api.manifest, ragfleet_api.crd; print(*sorted(sys.modules))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout.split()
    assert "ragfleet_api.manifest" in loaded
    heavy = {"typer", "rich", "httpx", "fastapi", "starlette", "uvicorn", "qdrant_edge", "celpy"}
    assert not heavy & set(loaded)
    assert not [name for name in loaded if name.startswith(("ragfleet_runtime", "ragfleet_cli"))]
