"""From the options of ``ragfleet evaluate`` to its output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from ragfleet_cli.client import ServiceClient
from ragfleet_cli.evaluate.dataset import load_dataset
from ragfleet_cli.evaluate.result import figures, print_figures
from ragfleet_cli.evaluate.run import Run, evaluate, in_process
from ragfleet_cli.output import emit_json
from ragfleet_cli.pipeline import load_config


def run_in_process(
    folder: Path,
    split: str,
    top_k: int,
    file: Path,
    overrides: Sequence[str],
    data_dir: Path | None,
    *,
    graded: bool,
    as_json: bool,
) -> None:
    """Evaluate a manifest. Raises CliError."""
    service = in_process(load_config(file, overrides), data_dir)
    # The temporary folder goes as a whole, and a folder that was named is kept with all in it.
    _run(folder, split, top_k, service, keep=True, graded=graded, as_json=as_json)


def run_over_http(
    folder: Path, split: str, top_k: int, url: str, *, keep: bool, graded: bool, as_json: bool
) -> None:
    """Evaluate a service. Raises CliError."""
    _run(folder, split, top_k, ServiceClient(url), keep=keep, graded=graded, as_json=as_json)


def _run(
    folder: Path,
    split: str,
    top_k: int,
    service: AbstractAsyncContextManager[ServiceClient],
    *,
    keep: bool,
    graded: bool,
    as_json: bool,
) -> None:
    dataset = load_dataset(folder, split)

    async def work() -> Run:
        async with service as client:
            return await evaluate(client, dataset, top_k, keep=keep)

    result = figures(asyncio.run(work()), dataset, graded=graded)
    if as_json:
        emit_json(result)
    else:
        print_figures(result)
