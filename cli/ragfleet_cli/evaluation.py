"""From the options of ``ragfleet evaluate`` to its output."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from ragfleet_cli.access import Target
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.evaluate.dataset import load_dataset
from ragfleet_cli.evaluate.result import figures, print_figures
from ragfleet_cli.evaluate.run import Run, evaluate, in_process
from ragfleet_cli.local_secrets import SecretOptions, local_secrets, require_secrets
from ragfleet_cli.output import emit_json
from ragfleet_cli.pipeline import load_config


@dataclass(frozen=True, slots=True)
class Plan:
    """What is measured, and how it is shown.

    folder, split: the collection and its judgements. mode: of retrieval; None is the pipeline's own.
    """

    folder: Path
    split: str
    top_k: int
    mode: str | None
    graded: bool
    as_json: bool


def run_in_process(
    plan: Plan, file: Path, overrides: Sequence[str], data_dir: Path | None, options: SecretOptions
) -> None:
    """Evaluate a manifest. Raises CliError."""
    config, documents = load_config(file, overrides)
    # The service listens on no port, so nobody else can call it.
    auth = config.auth.model_copy(update={"required": False, "generate": False})
    config = config.model_copy(update={"auth": auth})
    secrets = local_secrets(options, documents)
    require_secrets(config, secrets)
    # The temporary folder goes as a whole, and a folder that was named is kept with all in it.
    _run(plan, in_process(config, data_dir, secrets), keep=True)


def run_over_http(plan: Plan, target: Target, *, keep: bool) -> None:
    """Evaluate a service. Raises CliError."""
    _run(plan, ServiceClient(target.url, api_key=target.api_key), keep=keep)


def _run(plan: Plan, service: AbstractAsyncContextManager[ServiceClient], *, keep: bool) -> None:
    dataset = load_dataset(plan.folder, plan.split)

    async def work() -> Run:
        async with service as client:
            return await evaluate(client, dataset, plan.top_k, mode=plan.mode, keep=keep)

    result = figures(asyncio.run(work()), dataset, graded=plan.graded)
    if plan.as_json:
        emit_json(result)
    else:
        print_figures(result)
