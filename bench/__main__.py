"""Run every measurement: ``make bench``. Exit code 1 where a bar is missed."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from bench import measure
from bench.corpus import Corpus
from bench.table import Bar, show

_DATASET = Path("../shared/data/cranfield")


def main() -> int:
    """Measure, show the table, and tell whether every bar is reached."""
    parser = argparse.ArgumentParser(prog="bench")
    parser.add_argument("--dataset", type=Path, default=_DATASET, help="Cranfield in BEIR layout")
    parser.add_argument("--only", choices=("search", "ingest", "quality", "citations"))
    chosen = parser.parse_args()
    bars: list[Bar] = []
    skipped: list[str] = []
    if (os.cpu_count() or 1) < 2:
        print("bench: needs two cores, one for the service and one for the load", file=sys.stderr)
        return 2
    corpus = Corpus()
    with tempfile.TemporaryDirectory(prefix="ragfleet-bench-") as folder:
        work = Path(folder)
        if chosen.only in (None, "ingest"):
            bars.extend(measure.ingestion(work, corpus))
        if chosen.only in (None, "search"):
            os.sched_setaffinity(0, set(range(os.cpu_count() or 2)) - {0})
            bars.extend(measure.searches(work, corpus))
            os.sched_setaffinity(0, range(os.cpu_count() or 2))
        if not chosen.dataset.is_dir():
            skipped.append(f"quality and citations: no data set in {chosen.dataset} (--dataset DIR)")
        else:
            if chosen.only in (None, "quality"):
                bars.extend(measure.quality(chosen.dataset))
            if chosen.only in (None, "citations"):
                bars.extend(measure.citations(work, chosen.dataset))
    return 0 if show(bars, skipped) else 1


if __name__ == "__main__":
    sys.exit(main())
