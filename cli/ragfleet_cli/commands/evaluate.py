"""``ragfleet evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import Json, Overrides, examples

EXAMPLES: Final = examples(
    "ragfleet evaluate --dataset scifact -f pipeline.yaml",
    "ragfleet evaluate --dataset scifact -f pipeline.yaml --set chunking.maxTokens=128",
    "ragfleet evaluate --dataset scifact --url http://127.0.0.1:8080 --json",
)


def evaluate(
    dataset: Annotated[
        Path,
        typer.Option(
            metavar="DIR", help="A collection as BEIR has them: corpus.jsonl, queries.jsonl, qrels/."
        ),
    ],
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", metavar="FILE", help="Evaluate this manifest, in this process."),
    ] = None,
    overrides: Overrides = None,
    data: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="With -f: keep the data here. Default: a temporary folder."),
    ] = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Evaluate the service at this address.")
    ] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="With --url: leave the documents that were added in the service.")
    ] = False,
    split: Annotated[str, typer.Option(help="The judgements to use: qrels/SPLIT.tsv.")] = "test",
    top_k: Annotated[
        int, typer.Option(min=1, max=100, help="Documents to find for each question; recall@100 needs 100.")
    ] = 100,
    graded: Annotated[
        bool,
        typer.Option("--graded", help="Take the scores as gains in nDCG; without, relevant is relevant."),
    ] = False,
    json: Json = False,
) -> None:
    """Measure retrieval on a test collection.

    Prints nDCG@10, recall@100 and MRR@10, each with its 95 % bootstrap interval over the questions. With
    --url, the documents that the service doesn't have are added first and deleted at the end.
    """
    _check(file, overrides, data, url, keep=keep)
    _require_measures()

    from ragfleet_cli.evaluation import run_in_process, run_over_http  # noqa: PLC0415 - see ragfleet_cli.main

    if file is not None:
        run_in_process(dataset, split, top_k, file, overrides or (), data, graded=graded, as_json=json)
    elif url is not None:
        run_over_http(dataset, split, top_k, url, keep=keep, graded=graded, as_json=json)


def _check(
    file: Path | None, overrides: list[str] | None, data: Path | None, url: str | None, *, keep: bool
) -> None:
    """Raise CliError for options that don't go together."""
    if (file is None) == (url is None):
        raise CliError("evaluate takes either -f FILE or --url URL")
    if url is not None and (overrides or data is not None):
        raise CliError("--set and --data go with -f FILE, not with --url")
    if file is not None and keep:
        raise CliError("--keep goes with --url; with -f FILE, --data DIR keeps the documents")


def _require_measures() -> None:
    """Raise CliError where the extra is not installed, before any work is done."""
    try:
        import ir_measures  # noqa: F401, PLC0415 - only whether it is there
        import pytrec_eval  # noqa: F401, PLC0415
    except ImportError as error:
        raise CliError("evaluate needs ir-measures: pip install 'ragfleet[evaluate]'") from error
