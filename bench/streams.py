"""How soon a streamed answer begins, beside the model server that writes it."""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from bench.corpus import Corpus
from bench.load import post
from bench.service import running
from bench.table import Bar
from support.llm_server import Script, llm_server

_STREAMS = 32
_ROUNDS = 4
_STREAMS_A_ROUND = 3
_TOKENS = 40
_BETWEEN_SECONDS = 0.025
_FIRST_SECONDS = 0.2
_DOCUMENTS = 1_000
_MANIFEST = """\
apiVersion: ragfleet.dev/v1alpha1
kind: RAGPipeline
metadata: {{name: streams}}
spec:
  vectorStore: {{type: Embedded}}
  generation: {{type: OpenAI, openAI: {{baseURL: "{url}/v1", model: first}}}}
  auth: {{required: false}}
"""


def first_content(work: Path, corpus: Corpus) -> Iterator[Bar]:
    """From a model server's first token to the first content event, with 32 streams at any time.

    Each token is the moment at which the model server sent it, on the system's monotonic clock. The figure is
    that of the best of the rounds: the machine's neighbours only ever add to it.
    """
    work.mkdir(parents=True, exist_ok=True)
    rounds = asyncio.run(_measure(work, corpus))
    best = min(rounds, key=lambda one: statistics.median(one.first))
    medians = ", ".join(f"{statistics.median(one.first) * 1000:.1f}" for one in rounds)
    told = (
        f"p99 {_p99(best.first) * 1000:.1f} ms, later tokens p99 {_p99(best.later) * 1000:.1f} ms; "
        f"medians of the rounds {medians}; {len(best.first)} streams a round"
    )
    figure = statistics.median(best.first) * 1000
    yield Bar("first content event after the model's first token, 32 streams", figure, "<=", 10, "ms", told)


@dataclass(frozen=True)
class _Late:
    """How late tokens were, in seconds: the first ones of streams, and the others."""

    first: list[float]
    later: list[float]


def _p99(values: list[float]) -> float:
    return sorted(values)[int(0.99 * len(values))]


async def _measure(work: Path, corpus: Corpus) -> list[_Late]:
    manifest = work / "streams.yaml"
    script = Script(
        pieces=("",) * _TOKENS, stamped=True, before_first=_FIRST_SECONDS, between=_BETWEEN_SECONDS
    )
    async with llm_server() as model:
        model.scripts["first"] = [script]
        manifest.write_text(_MANIFEST.format(url=model.url))
        with running(work / "streams", cpus=[0], manifest=manifest) as service:
            os.sched_setaffinity(0, set(range(os.cpu_count() or 2)) - {0})
            try:
                async with httpx.AsyncClient(timeout=60) as client:
                    for batch in corpus.batches(_DOCUMENTS, 100):
                        reply = await client.post(f"{service.url}/ingest", json={"documents": batch})
                        reply.raise_for_status()
                questions = corpus.questions(_DOCUMENTS, _STREAMS)
                await _client(service.url, questions[0], 0, 1)  # warm
                return [await _round(service.url, questions) for _ in range(_ROUNDS)]
            finally:
                os.sched_setaffinity(0, range(os.cpu_count() or 2))


async def _round(url: str, questions: list[str]) -> _Late:
    found = await asyncio.gather(*(_client(url, one, n, _STREAMS_A_ROUND) for n, one in enumerate(questions)))
    streams = [stream for client in found for stream in client]
    return _Late([first for first, _ in streams], [one for _, rest in streams for one in rest])


async def _client(url: str, question: str, number: int, streams: int) -> list[tuple[float, list[float]]]:
    """How late the first token and the others of each stream are, in seconds."""
    await asyncio.sleep(number * (_FIRST_SECONDS + _TOKENS * _BETWEEN_SECONDS) / _STREAMS)
    parts = urlsplit(url)
    found = []
    for _ in range(streams):
        reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
        writer.write(post(f"{url}/query/stream", {"query": question}))
        late: list[float] = []
        event = b""
        while line := await reader.readline():
            if line.startswith(b"event: "):
                event = line[7:].strip()
            elif line.startswith(b"data: ") and event == b"content":
                stamps = json.loads(line[6:])["content"].split()
                late.extend(time.monotonic() - float(stamp) for stamp in stamps)
            elif line.startswith(b"data: ") and event in (b"done", b"error"):
                break
        writer.close()
        if event != b"done" or not late:
            raise RuntimeError(f"a stream ended with {event.decode()} after {len(late)} tokens")
        found.append((late[0], late[1:]))
    return found
