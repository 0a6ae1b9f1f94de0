"""Run every measurement: ``make bench``. Exit code 1 where a bar is missed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

from bench import measure, searching
from bench.corpus import Corpus
from bench.replicas import read_what_the_other_wrote
from bench.streams import first_content
from bench.table import Bar, show

PARTS = ("ingest", "search", "hybrid", "quality", "citations", "streams", "replicas")
_NEED_DATASET = frozenset({"hybrid", "quality", "citations"})
_DATASET = Path("../shared/data/cranfield")


def main() -> int:
    """Measure, show the table, and tell whether every bar is reached."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--dataset", type=Path, default=_DATASET, help="Cranfield in BEIR layout")
    parser.add_argument("--only", choices=PARTS)
    chosen = parser.parse_args()
    bars: list[Bar] = []
    skipped: list[str] = []
    if (os.cpu_count() or 1) < 2:
        print("bench: needs two cores, one for the service and one for the load", file=sys.stderr)
        return 2
    corpus = Corpus()
    with tempfile.TemporaryDirectory(prefix="ragfleet-bench-") as folder:
        work = Path(folder)
        measurements: dict[str, Callable[[], Iterable[Bar]]] = {
            "ingest": lambda: measure.ingestion(work, corpus),
            "search": lambda: _beside_core_0(searching.sparse(work, corpus)),
            "hybrid": lambda: _beside_core_0(searching.hybrid(work, chosen.dataset)),
            "quality": lambda: measure.quality(chosen.dataset),
            "citations": lambda: measure.citations(work, chosen.dataset),
            "streams": lambda: first_content(work, corpus),
            "replicas": lambda: read_what_the_other_wrote(work),
        }
        for name in PARTS:
            if chosen.only not in (None, name):
                continue
            if name in _NEED_DATASET and not chosen.dataset.is_dir():
                skipped.append(f"{name}: no data set in {chosen.dataset} (--dataset DIR)")
                continue
            bars.extend(measurements[name]())
    return 0 if show(bars, skipped) else 1


def _beside_core_0(bars: Iterable[Bar]) -> list[Bar]:
    """Measure with core 0 left to the service."""
    os.sched_setaffinity(0, set(range(os.cpu_count() or 2)) - {0})
    try:
        return list(bars)
    finally:
        os.sched_setaffinity(0, range(os.cpu_count() or 2))


if __name__ == "__main__":
    sys.exit(main())
