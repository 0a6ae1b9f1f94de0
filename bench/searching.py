"""Searches over HTTP beside the same work in a bare loop, at two sizes, with BM25 alone and in hybrid."""

from __future__ import annotations

import asyncio
import shutil
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import httpx

from bench.bare import BareHybrid, BareSearch, BareSparse
from bench.corpus import Corpus
from bench.load import Load, drive, post
from bench.service import MANIFEST, Service, running
from bench.table import Bar
from bench.words import Words

HYBRID = Path("examples/hybrid/pipeline.yaml")
MODEL = Path("../shared/models/all-MiniLM-L6-v2-onnx-int8")
SMALL = 1_000
LARGE = 100_000
TOP_K = 10
_ROUNDS = 8
_QUESTIONS = 500


class Texts(Protocol):
    """Where documents and questions come from."""

    def questions(self, documents: int, count: int) -> list[str]: ...
    def batches(self, documents: int, size: int) -> Iterator[Sequence[dict[str, str]]]: ...


@dataclass(frozen=True)
class Round:
    """CPU seconds of the service for each search of a load, and the load."""

    cpu: float
    load: Load


@dataclass
class Size:
    """What was measured at one size: searches one at a time, many at a time, and the bare loop's CPU."""

    alone: list[Round] = field(default_factory=list)
    crowded: list[Round] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)

    @property
    def cpu(self) -> float:
        """That of the best round: the machine's neighbours only ever add to it."""
        return min(one.cpu for one in self.alone)

    @property
    def crowded_cpu(self) -> float:
        return min(one.cpu for one in self.crowded)

    @property
    def bare_cpu(self) -> float:
        return min(self.bare)

    @property
    def crowded_load(self) -> Load:
        return sorted((one.load for one in self.crowded), key=lambda load: load.rate)[len(self.crowded) // 2]

    @property
    def alone_rate(self) -> float:
        return statistics.median(one.load.rate for one in self.alone)

    def told(self, clients: int) -> str:
        return (
            f"{self.cpu * 1000:.3f} ms in all, {self.bare_cpu * 1000:.3f} in the bare loop, "
            f"{self.crowded_cpu * 1000:.3f} with {clients} clients"
        )


@dataclass(frozen=True)
class Setting:
    """A pipeline under measurement."""

    texts: Texts
    bare: type[BareSearch]
    clients: int
    searches: int
    manifest: Path = MANIFEST
    arguments: tuple[str, ...] = ()


@dataclass
class Measured:
    """Everything that was measured of a setting."""

    seconds_to_ready: float
    resident_mib: float
    sizes: dict[int, Size]


def sparse(work: Path, corpus: Corpus) -> Iterator[Bar]:
    """BM25: CPU of ``/search`` beside the bare engine at two sizes, throughput, start and memory."""
    found = measure(work / "sparse", Setting(corpus, BareSparse, 8, 1_500))
    small, large = found.sizes[SMALL], found.sizes[LARGE]
    yield Bar("start to ready, 1,000 documents", found.seconds_to_ready, "<=", 2.0, "s")
    yield Bar("resident memory when ready, 1,000 documents", found.resident_mib, "<=", 180, "MiB")
    beyond = (small.cpu - small.bare_cpu) * 1000
    yield Bar("CPU a /search beyond the engine", beyond, "<=", 0.6, "ms", small.told(8))
    yield Bar("CPU a /search, 100,000 chunks / 1,000", large.cpu / small.cpu, "<=", 1.5, "", large.told(8))
    load = small.crowded_load
    told = f"{load.rate:.0f}/s, {_latencies(load)}"
    yield Bar("throughput x CPU a request, 8 clients", load.rate * small.cpu, ">=", 0.7, "", told)


def hybrid(work: Path, dataset: Path) -> Iterator[Bar]:
    """Hybrid with MiniLM int8: the same, and what embedding questions together gains."""
    arguments = ("--set", f"embedding.fastEmbed.path={MODEL.resolve()}")
    setting = Setting(Words(dataset), BareHybrid, 16, 400, HYBRID, arguments)
    found = measure(work / "hybrid", setting)
    small, large = found.sizes[SMALL], found.sizes[LARGE]
    yield Bar("hybrid: start to ready, 1,000 documents", found.seconds_to_ready, "<=", 3.0, "s")
    yield Bar("hybrid: resident memory when ready", found.resident_mib, "<=", 280, "MiB")
    beyond = (small.cpu - small.bare_cpu) * 1000
    yield Bar("hybrid: CPU a /search beyond engine and model", beyond, "<=", 0.6, "ms", small.told(16))
    yield Bar("hybrid: CPU a /search, 100,000 / 1,000", large.cpu / small.cpu, "<=", 1.5, "", large.told(16))
    load = small.crowded_load
    told = f"{load.rate:.0f}/s beside {small.alone_rate:.0f}/s, {_latencies(load)}"
    gain = load.rate / small.alone_rate
    yield Bar("hybrid: throughput a core, 16 clients / 1", gain, ">=", 1.2, "", told)


def measure(work: Path, setting: Setting) -> Measured:
    """Fill two services, run both at once on one core, and measure them and the bare loops in turn.

    In turn, so that the machine's moods meet all. CPU is that of searches one at a time; throughput that of
    many clients.
    """
    folders = {SMALL: work / "small", LARGE: work / "large"}
    questions = {size: setting.texts.questions(size, _QUESTIONS) for size in folders}
    for size, folder in folders.items():
        fill(folder, setting, size)
    sizes = {size: Size() for size in folders}
    with ExitStack() as stack:
        services: dict[int, Service] = {}
        bare: dict[int, BareSearch] = {}
        for size, folder in folders.items():
            services[size] = stack.enter_context(_run(setting, folder, [0]))
            settle(services[size])
            copy = work / f"bare-{size}"
            shutil.copytree(_engine(folder), copy)
            bare[size] = stack.enter_context(setting.bare(copy, questions[size], TOP_K))
            search_round(services[size], questions[size], clients=1, count=setting.searches)  # warm
            bare[size].run(setting.searches)
        for _ in range(_ROUNDS):
            for size, service in services.items():
                found = sizes[size]
                found.alone.append(search_round(service, questions[size], clients=1, count=setting.searches))
                found.bare.append(bare[size].run(setting.searches))
                found.crowded.append(
                    search_round(service, questions[size], clients=setting.clients, count=setting.searches)
                )
    with _run(setting, folders[SMALL], [0]) as fresh:
        return Measured(fresh.seconds_to_ready, fresh.resident_bytes() / 2**20, sizes)


def search_round(service: Service, questions: Sequence[str], *, clients: int, count: int) -> Round:
    """Load the service with searches."""
    requests = [post(f"{service.url}/search", {"query": q, "top_k": TOP_K}) for q in questions]
    before = service.cpu_seconds()
    load = asyncio.run(drive(service.url, requests, clients=clients, count=count))
    return Round((service.cpu_seconds() - before) / load.requests, load)


def fill(folder: Path, setting: Setting, documents: int) -> None:
    """Give a data folder that many documents, and let the index come to rest."""
    with _run(setting, folder, None) as service:
        url = f"{service.url}/ingest"
        requests = [post(url, {"documents": batch}) for batch in setting.texts.batches(documents, 100)]
        asyncio.run(drive(service.url, requests, clients=2, count=len(requests)))
        settle(service)


def settle(service: Service) -> None:
    """Wait until nothing is left to do in the background."""
    while True:
        checks = httpx.get(f"{service.url}/health", timeout=60).json()["checks"]
        if not any(check["name"] == "index" and check["reason"] for check in checks):
            return
        time.sleep(0.5)


def _run(setting: Setting, folder: Path, cpus: Sequence[int] | None) -> AbstractContextManager[Service]:
    return running(folder, cpus=cpus, manifest=setting.manifest, arguments=setting.arguments)


def _latencies(load: Load) -> str:
    p50, p99 = (load.percentile(share) * 1000 for share in (0.5, 0.99))
    return f"p50 {p50:.1f} ms, p99 {p99:.1f} ms"


def _engine(folder: Path) -> Path:
    return next(path for path in folder.glob("*/engine*") if path.is_dir())
