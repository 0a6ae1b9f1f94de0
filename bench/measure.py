"""The measurements, each giving bars."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench import bare
from bench.corpus import Corpus
from bench.load import drive, post
from bench.searching import HYBRID, MODEL
from bench.service import MANIFEST, running
from bench.table import Bar
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings

INGESTED = 5_000
_CHUNKING = ChunkSettings("Adaptive", max_tokens=256, overlap_tokens=32)


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
    """nDCG@10 of the defaults of the quickstart (BM25) and of the hybrid example."""
    yield Bar(
        "nDCG@10, Cranfield, BM25", _ndcg(dataset, MANIFEST), ">=", 0.52, "", "defaults of the quickstart"
    )
    model = ("--set", f"embedding.fastEmbed.path={MODEL.resolve()}")
    figure = _ndcg(dataset, HYBRID, *model)
    yield Bar("nDCG@10, Cranfield, hybrid", figure, ">=", 0.56, "", "defaults of examples/hybrid")


def _ndcg(dataset: Path, manifest: Path, *arguments: str) -> float:
    command = [
        sys.executable,
        "-m",
        "ragfleet_cli",
        "evaluate",
        "--dataset",
        str(dataset),
        "-f",
        str(manifest),
        *arguments,
    ]
    done = subprocess.run([*command, "--json"], check=True, capture_output=True, text=True)
    measured: float = json.loads(done.stdout)["ndcg@10"]
    return measured


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
