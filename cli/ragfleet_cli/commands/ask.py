"""``ragfleet ask``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ragfleet_cli.options import DEFAULT_URL, Filters, Json, Url, examples

EXAMPLES: Final = examples(
    'ragfleet ask "How do I restore a backup?"',
    'ragfleet ask "Who approves travel?" --filter team=finance --top-k 4',
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
    json: Json = False,
) -> None:
    """Answer a question from the documents, and name the sources."""
    from ragfleet_cli.questions import run_ask  # noqa: PLC0415 - see ragfleet_cli.main

    run_ask(question, url, top_k, filters or (), as_json=json)
