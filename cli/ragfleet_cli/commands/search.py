"""``ragfleet search``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ragfleet_cli.options import DEFAULT_URL, Filters, Json, Url, examples

EXAMPLES: Final = examples(
    'ragfleet search "retention of backups"',
    'ragfleet search "error 429" --top-k 3 --group',
    'ragfleet search "travel" --filter team=finance --json',
)


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    url: Url = DEFAULT_URL,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Most results.")] = 10,
    filters: Filters = None,
    group: Annotated[bool, typer.Option("--group", help="Only the best passage of each document.")] = False,
    json: Json = False,
) -> None:
    """Find passages of the documents."""
    from ragfleet_cli.questions import run_search  # noqa: PLC0415 - see ragfleet_cli.main

    run_search(query, url, top_k, filters or (), group=group, as_json=json)
