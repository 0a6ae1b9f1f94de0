"""``ragfleet crd``."""

from __future__ import annotations

from typing import Final

import typer

from ragfleet_cli.options import examples

EXAMPLES: Final = examples(
    "ragfleet crd > ragpipelines.yaml", "ragfleet crd | kubectl apply --server-side -f -"
)


def crd() -> None:
    """Print the resource definition, for kubectl apply."""
    from ragfleet_api.crd import to_yaml  # noqa: PLC0415 - see ragfleet_cli.main

    typer.echo(to_yaml(), nl=False)
