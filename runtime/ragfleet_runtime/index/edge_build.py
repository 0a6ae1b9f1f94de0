"""Building the embedded engine's index in a process of its own, over a copy of its folder.

The engine's binding keeps the interpreter to itself while it builds: inside the service, every request would
stand still (docs/adr/0009). ``python -m ragfleet_runtime.index.edge_build FOLDER SHAPE``, the shape as JSON.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import orjson
import qdrant_edge as edge

from ragfleet_api.config.store import IndexConfig
from ragfleet_runtime.errors import EngineError
from ragfleet_runtime.index.edge_config import edge_config
from ragfleet_runtime.index.shape import Shape
from ragfleet_runtime.processes import lean_environment

_NICE = 10
_PARENT_DIED = 1  # PR_SET_PDEATHSIG of prctl(2)
_MOST_TOLD = 500


async def build(folder: Path, shape: Shape) -> None:
    """Build the indexes of the engine in ``folder``, which nobody else may have open. Raises EngineError."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        __name__,
        str(folder),
        _dump(shape),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=lean_environment(),
    )
    try:
        _, told = await process.communicate()
    except asyncio.CancelledError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    if process.returncode:
        reason = told.decode(errors="replace").strip().splitlines()[-1:] or ["no reason given"]
        raise EngineError(
            f"building the index ended with code {process.returncode}: {reason[0][:_MOST_TOLD]}"
        )


def _dump(shape: Shape) -> str:
    return orjson.dumps(
        {
            "dimensions": shape.dimensions,
            "dot": shape.dot,
            "index": shape.index.model_dump(mode="json", by_alias=True),
        }
    ).decode()


def _load(data: str) -> Shape:
    noted = orjson.loads(data)
    return Shape(
        noted["dimensions"], noted["dot"], IndexConfig.model_validate_json(orjson.dumps(noted["index"]))
    )


def main() -> None:
    """Build, as a process that yields to all others and ends with its parent."""
    os.nice(_NICE)
    _end_with_parent()
    shard = edge.EdgeShard.load(sys.argv[1], edge_config(_load(sys.argv[2])))
    shard.optimize()
    shard.flush()
    shard.close()


def _end_with_parent() -> None:
    import ctypes  # noqa: PLC0415 - needed here alone

    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DIED, signal.SIGKILL)


if __name__ == "__main__":
    main()
