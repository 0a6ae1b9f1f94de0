"""Two replicas over one Qdrant server: what one acknowledges, the other finds at once.

The server is the tests' stand-in over the embedded engine: the figure is of right and wrong, not of speed.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from bench.service import running
from bench.table import Bar

_DOCUMENTS = 1_000
_WRITERS = 4
_MANIFEST = """\
apiVersion: ragfleet.dev/v1alpha1
kind: RAGPipeline
metadata: {{name: replicas}}
spec:
  vectorStore: {{type: Qdrant, qdrant: {{url: "{url}"}}}}
  generation: {{type: Extractive}}
  auth: {{required: false}}
  replicas: 2
"""


def read_what_the_other_wrote(work: Path) -> Iterator[Bar]:
    """Documents sent to the replicas in turn, and searched for at the other one once acknowledged."""
    work.mkdir(parents=True, exist_ok=True)
    manifest = work / "replicas.yaml"
    with _qdrant(work / "qdrant") as url:
        manifest.write_text(_MANIFEST.format(url=url))
        with (
            running(work / "one", manifest=manifest) as one,
            running(work / "other", manifest=manifest) as other,
        ):
            found = asyncio.run(_count_found(one.url, other.url))
    yield Bar("found by the other replica at once, of 1,000", found, "==", _DOCUMENTS, "")


async def _count_found(one: str, other: str) -> int:
    numbers = iter(range(_DOCUMENTS))

    async def write(client: httpx.AsyncClient) -> int:
        found = 0
        for number in numbers:
            writer, reader = (one, other) if number % 2 else (other, one)
            document = {"id": f"doc-{number}", "text": f"The parcel marked zx{number}q waits in the hall."}
            reply = await client.post(f"{writer}/ingest", json={"documents": [document]})
            if reply.raise_for_status().json()["indexed"] != 1:
                raise RuntimeError(reply.text)
            hits = await client.post(f"{reader}/search", json={"query": f"zx{number}q", "top_k": 1})
            results = hits.raise_for_status().json()["results"]
            found += bool(results) and results[0]["document_id"] == document["id"]
        return found

    async with httpx.AsyncClient(timeout=60) as client:
        return sum(await asyncio.gather(*(write(client) for _ in range(_WRITERS))))


@contextmanager
def _qdrant(folder: Path) -> Iterator[str]:
    """The stand-in, as a process of its own."""
    command = [sys.executable, "-m", "support.qdrant_server", "--port", "0", "--data", str(folder)]
    environment = {**os.environ, "PYTHONPATH": "tests"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            yield next(word for line in process.stdout for word in line.split() if word.startswith("http"))
        finally:
            process.terminate()
            process.wait(30)
