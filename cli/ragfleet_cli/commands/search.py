"""``ragfleet search``."""

from __future__ import annotations

from typing import Annotated, Final

import typer

from ragfleet_cli.options import DEFAULT_URL, ApiKeyFile, Filters, Json, Mode, Url, examples

EXAMPLES: Final = examples(
    'ragfleet search "retention of backups"',
    'ragfleet search "error 429" --top-k 3 --group',
    'ragfleet search "cost of a trip" --mode hybrid',
    'ragfleet search "travel" --filter team=finance --json',
)


def search(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="What to look for.")],
    url: Url = DEFAULT_URL,
    top_k: Annotated[int, typer.Option(min=1, max=100, help="Most results.")] = 10,
    filters: Filters = None,
    mode: Mode = None,
    group: Annotated[bool, typer.Option("--group", help="Only the best passage of each document.")] = False,
    api_key_file: ApiKeyFile = None,
    json: Json = False,
) -> None:
    """Find passages of the documents."""
    from ragfleet_cli.access import target  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli.questions import run_search  # noqa: PLC0415

    service = target(url, api_key_file)
    run_search(query, service, top_k, filters or (), mode=mode, group=group, as_json=json)
