"""``ragfleet ask``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ragfleet_cli.errors import CliError
from ragfleet_cli.options import DEFAULT_URL, ApiKeyFile, Filters, Json, Url, examples

EXAMPLES: Final = examples(
    'ragfleet ask "How do I restore a backup?"',
    'ragfleet ask "Who approves travel?" --filter team=finance --top-k 4',
    'ragfleet ask "Who approves travel?" --stream',
    'ragfleet ask "Who approves travel?" --json',
)


def ask(
    question: Annotated[str, typer.Argument(metavar="QUESTION", help="The question.")],
    url: Url = DEFAULT_URL,
    top_k: Annotated[
        int | None,
        typer.Option(min=1, max=100, help="Passages that the answer is made from. Default: the pipeline's."),
    ] = None,
    filters: Filters = None,
    api_key_file: ApiKeyFile = None,
    stream: Annotated[bool, typer.Option("--stream", help="Print the answer as it is made.")] = False,
    json: Json = False,
) -> None:
    """Answer a question from the documents, and name the sources."""
    if stream and json:
        raise CliError("--stream prints text as it comes, --json an answer as a whole: choose one")

    from ragfleet_cli.access import target  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli.questions import run_ask  # noqa: PLC0415

    run_ask(question, target(url, api_key_file), top_k, filters or (), as_json=json, stream=stream)
