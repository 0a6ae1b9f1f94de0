"""``ragfleet ingest``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from ragfleet_cli.options import DEFAULT_URL, ApiKeyFile, Json, Url, examples

EXAMPLES: Final = examples(
    "ragfleet ingest docs/",
    "ragfleet ingest handbook.pdf notes.md --metadata team=platform",
    "ragfleet ingest . --include '*.md' --exclude node_modules --json",
)


def ingest(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH", help="Files, and folders that are walked.")],
    url: Url = DEFAULT_URL,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Requests at a time.")] = 4,
    metadata: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY=VALUE", help="Metadata of every document. Repeatable."),
    ] = None,
    include: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="In folders, only files whose name or path matches. Repeatable."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="GLOB", help="In folders, no files or folders that match. Repeatable."),
    ] = None,
    api_key_file: ApiKeyFile = None,
    json: Json = False,
) -> int:
    """Send files to a service.

    A file's id is its path in the folder named, or its name where it is named itself; sent again, it
    replaces what was there. In folders, hidden files are passed over. Exit code 1: some files failed.
    """
    from ragfleet_cli.access import target  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli.ingestion import run  # noqa: PLC0415
    from ragfleet_cli.walk import Selection  # noqa: PLC0415

    selection = Selection(tuple(include or ()), tuple(exclude or ()))
    service = target(url, api_key_file)
    return run(paths, selection, service, concurrency, metadata or (), as_json=json)
