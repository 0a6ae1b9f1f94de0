"""``ragfleet evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import ApiKeyFile, Json, Mode, Overrides, Secrets, SecretsDir, examples

EXAMPLES: Final = examples(
    "ragfleet evaluate --dataset scifact -f pipeline.yaml",
    "ragfleet evaluate --dataset scifact -f pipeline.yaml --set chunking.maxTokens=128",
    "ragfleet evaluate --dataset scifact -f pipeline.yaml --mode dense",
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
    secret: Secrets = None,
    secrets_dir: SecretsDir = None,
    url: Annotated[
        str | None, typer.Option(metavar="URL", help="Evaluate the service at this address.")
    ] = None,
    api_key_file: ApiKeyFile = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="With --url: leave the documents that were added in the service.")
    ] = False,
    split: Annotated[str, typer.Option(help="The judgements to use: qrels/SPLIT.tsv.")] = "test",
    top_k: Annotated[
        int, typer.Option(min=1, max=100, help="Documents to find for each question; recall@100 needs 100.")
    ] = 100,
    mode: Mode = None,
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
    if (file is None) == (url is None):
        raise CliError("evaluate takes either -f FILE or --url URL")
    # RAGFLEET_SECRETS_DIR may be there for other commands, so that --secrets-dir is no error with --url.
    if url is not None and (overrides or data is not None or secret):
        raise CliError("--set, --data and --secret go with -f FILE, not with --url")
    if file is not None and keep:
        raise CliError("--keep goes with --url; with -f FILE, --data DIR keeps the documents")
    if file is not None and api_key_file is not None:
        raise CliError("--api-key-file goes with --url; with -f FILE, no key is needed")
    _require_measures()

    from ragfleet_cli.access import target  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli.evaluation import Plan, run_in_process, run_over_http  # noqa: PLC0415
    from ragfleet_cli.local_secrets import SecretOptions  # noqa: PLC0415

    plan = Plan(dataset, split, top_k, mode, graded, json)
    if file is not None:
        run_in_process(plan, file, overrides or (), data, SecretOptions(secret or (), secrets_dir))
    elif url is not None:
        run_over_http(plan, target(url, api_key_file), keep=keep)


def _require_measures() -> None:
    """Raise CliError where the extra is not installed, before any work is done."""
    try:
        import ir_measures  # noqa: F401, PLC0415 - only whether it is there
        import pytrec_eval  # noqa: F401, PLC0415
    except ImportError as error:
        raise CliError("evaluate needs ir-measures: pip install 'ragfleet[evaluate]'") from error
