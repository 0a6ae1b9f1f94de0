"""The figures of an evaluation, for people and for scripts."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table

from ragfleet_cli.evaluate.dataset import Dataset
from ragfleet_cli.evaluate.measures import LEVEL, MEASURES, interval, mean, per_question
from ragfleet_cli.evaluate.run import Run


def figures(run: Run, dataset: Dataset, *, graded: bool) -> dict[str, Any]:
    """The figures as one JSON object: the key of a measure is its name, as in ``ndcg@10``."""
    values = per_question(run.rankings, dataset.grades, graded=graded)
    columns = {name: [values[question][name] for question in sorted(values)] for name in MEASURES}
    return {
        **{name: mean(column) for name, column in columns.items()},
        "intervals": {name: list(interval(column)) for name, column in columns.items()},
        "queries": len(dataset.questions),
        "queries_left_out": dataset.left_out,
        "documents": len(dataset.documents),
        "documents_failed": len(run.loaded.failures),
        "mode": run.mode,
        "graded": graded,
        "seconds": round(run.seconds, 3),
        "ingest_seconds": round(run.ingest_seconds, 3),
        "search_seconds": round(run.search_seconds, 3),
    }


def print_figures(result: dict[str, Any]) -> None:
    """Print the figures as a table."""
    table = Table()
    table.add_column("measure")
    table.add_column("mean", justify="right")
    table.add_column(f"{LEVEL} % interval", justify="right")
    for name in MEASURES:
        low, high = result["intervals"][name]
        table.add_row(name, f"{result[name]:.4f}", f"{low:.4f} to {high:.4f}")
    console = Console(highlight=False)
    console.print(table)
    left_out = result["queries_left_out"]
    skipped = f" ({left_out} without a relevant document left out)" if left_out else ""
    console.print(
        f"{result['queries']} questions{skipped}, {result['documents']} documents, {result['mode']}, "
        f"{result['seconds']:.1f} s",
        markup=False,
    )
