"""The measurements, each giving bars."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from bench import bare
from bench.corpus import Corpus
from bench.load import Load, drive, post
from bench.service import MANIFEST, Service, running
from bench.table import Bar
from ragfleet_runtime.index.data_folder import ENGINE_FOLDER
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings

SMALL = 1_000
LARGE = 100_000
INGESTED = 5_000
_TOP_K = 10
_ENGINE_LIMIT = _TOP_K + 2  # what /search asks the engine for
_SEARCHES = 1_500
_ROUNDS = 5
_QUESTIONS = 500
_CHUNKING = ChunkSettings("Adaptive", max_tokens=256, overlap_tokens=32)


def searches(work: Path, corpus: Corpus) -> Iterator[Bar]:
    """CPU of ``/search`` beside the bare engine at two sizes, throughput, start and memory.

    Both services run at once on one core, measured in turn, so that the machine's moods meet both. CPU is
    that of searches one at a time; throughput that of 8 clients, which share wake-ups and cost less each.
    """
    folders = {SMALL: work / "small", LARGE: work / "large"}
    questions = {size: corpus.questions(size, _QUESTIONS) for size in folders}
    alone: dict[int, list[Round]] = {SMALL: [], LARGE: []}
    crowded: dict[int, list[Round]] = {SMALL: [], LARGE: []}
    for size, folder in folders.items():
        fill(folder, corpus, size)
    with running(folders[SMALL], cpus=[0]) as small:
        yield Bar("start to ready, 1,000 documents", small.seconds_to_ready, "<=", 2.0, "s")
        resident = small.resident_bytes() / 2**20
        yield Bar("resident memory when ready, 1,000 documents", resident, "<=", 180, "MiB")
        with running(folders[LARGE], cpus=[0]) as large:
            services = {SMALL: small, LARGE: large}
            for size, service in services.items():
                settle(service)
                search_round(service, questions[size], clients=1)  # warm
            for _ in range(_ROUNDS):
                for size, service in services.items():
                    alone[size].append(search_round(service, questions[size], clients=1))
                    crowded[size].append(search_round(service, questions[size], clients=8))
    engine = {
        size: bare.search(_engine(folder), questions[size], count=_SEARCHES, limit=_ENGINE_LIMIT).cpu
        for size, folder in folders.items()
    }
    cpu = {size: _median_cpu(made) for size, made in alone.items()}
    detail = {
        size: f"{cpu[size] * 1000:.3f} ms in all, {engine[size] * 1000:.3f} in the bare engine, "
        f"{_median_cpu(crowded[size]) * 1000:.3f} with 8 clients"
        for size in cpu
    }
    beyond = (cpu[SMALL] - engine[SMALL]) * 1000
    yield Bar("CPU a /search beyond the engine", beyond, "<=", 0.6, "ms", detail[SMALL])
    yield Bar("CPU a /search, 100,000 chunks / 1,000", cpu[LARGE] / cpu[SMALL], "<=", 1.5, "", detail[LARGE])
    middle = sorted(crowded[SMALL], key=lambda one: one.load.rate)[_ROUNDS // 2]
    p50, p99 = (middle.load.percentile(share) * 1000 for share in (0.5, 0.99))
    yield Bar(
        "throughput x CPU a request, 8 clients",
        middle.load.rate * cpu[SMALL],
        ">=",
        0.7,
        "",
        f"{middle.load.rate:.0f}/s, p50 {p50:.1f} ms, p99 {p99:.1f} ms",
    )


@dataclass(frozen=True)
class Round:
    """CPU seconds of the service for each search of a load, and the load."""

    cpu: float
    load: Load


def _median_cpu(rounds: Sequence[Round]) -> float:
    return statistics.median(one.cpu for one in rounds)


def search_round(service: Service, questions: Sequence[str], *, clients: int) -> Round:
    """Load the service with searches."""
    requests = [post(f"{service.url}/search", {"query": q, "top_k": _TOP_K}) for q in questions]
    before = service.cpu_seconds()
    load = asyncio.run(drive(service.url, requests, clients=clients, count=_SEARCHES))
    return Round((service.cpu_seconds() - before) / load.requests, load)


def fill(folder: Path, corpus: Corpus, documents: int) -> None:
    """Give a data folder that many documents, and let the index come to rest."""
    with running(folder) as service:
        url = f"{service.url}/ingest"
        requests = [post(url, {"documents": batch}) for batch in corpus.batches(documents, 100)]
        asyncio.run(drive(service.url, requests, clients=2, count=len(requests)))
        settle(service)


def settle(service: Service) -> None:
    """Wait until nothing is left to do in the background."""
    while True:
        checks = httpx.get(f"{service.url}/health").json()["checks"]
        if not any(check["name"] == "index" and check["reason"] for check in checks):
            return
        time.sleep(0.2)


def ingestion(work: Path, corpus: Corpus) -> Iterator[Bar]:
    """Documents a second through HTTP beside the bare loop of the same work."""
    batches = list(corpus.batches(INGESTED, 50))
    loop = bare.ingest(work / "bare", [document for batch in batches for document in batch], _CHUNKING)
    with running(work / "ingested") as service:
        requests = [post(f"{service.url}/ingest", {"documents": batch}) for batch in batches]
        # The parser processes start with the first documents; the loop's imports aren't in its time either.
        texts = [corpus.text(INGESTED + n) for n in range(8)]
        first = [post(f"{service.url}/ingest", {"documents": [{"text": text}]}) for text in texts]
        asyncio.run(drive(service.url, first, clients=8, count=len(first)))
        load = asyncio.run(drive(service.url, requests, clients=8, count=len(requests)))
    rate = INGESTED / load.seconds
    detail = f"{rate:.0f}/s over HTTP, {1 / loop.wall:.0f}/s in the bare loop"
    yield Bar("ingestion of 5,000 documents / bare loop", rate * loop.wall, ">=", 0.6, "", detail)


def quality(dataset: Path) -> Iterator[Bar]:
    """nDCG@10 of the quickstart's defaults."""
    command = [
        sys.executable,
        "-m",
        "ragfleet_cli",
        "evaluate",
        "--dataset",
        str(dataset),
        "-f",
        str(MANIFEST),
    ]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    measured = json.loads(done.stdout)["ndcg@10"]
    yield Bar(
        "nDCG@10, Cranfield, grouped",
        measured,
        ">=",
        0.52,
        "",
        "ragfleet evaluate, defaults of the quickstart",
    )


def citations(work: Path, dataset: Path) -> Iterator[Bar]:
    """Share of cited statements that stand word for word in the source that they cite."""
    questions = [json.loads(line)["text"] for line in (dataset / "queries.jsonl").open()]
    documents = [json.loads(line) for line in (dataset / "corpus.jsonl").open()]
    sent = [{"id": d["_id"], "title": d["title"], "text": d["text"]} for d in documents if d["text"]]
    cited = verbatim = answered = 0
    with running(work / "cited") as service, httpx.Client(base_url=service.url, timeout=60) as client:
        client.post("/ingest", json={"documents": sent}).raise_for_status()
        for question in questions:
            reply = client.post("/query", json={"query": question}).raise_for_status().json()
            sources = {source["n"]: source["text"] for source in reply["sources"]}
            answered += bool(reply["citations"])
            for citation in reply["citations"]:
                cited += 1
                statement = reply["answer"][citation["answer_start"] : citation["answer_end"]]
                verbatim += bool(statement) and statement in sources.get(citation["n"], "")
    detail = f"{verbatim} of {cited} statements; {answered} of {len(questions)} questions answered"
    yield Bar("cited statements that are verbatim", verbatim / max(cited, 1), "==", 1.0, "", detail)


def _engine(folder: Path) -> Path:
    return next(folder.glob(f"*/{ENGINE_FOLDER}"))
