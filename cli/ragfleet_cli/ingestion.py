"""The work of ``ragfleet ingest``."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ragfleet_cli.access import Target
from ragfleet_cli.arguments import Scalar, metadata_from
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.errors import CliError
from ragfleet_cli.output import emit, emit_json, note
from ragfleet_cli.progress import progress
from ragfleet_cli.report import Report
from ragfleet_cli.upload import Outcome, upload
from ragfleet_cli.walk import Found, Selection, discover

# As much as a service takes in before it has looked at the key.
_UNASKED_BYTES: Final = 2**14


def run(
    paths: Sequence[Path],
    selection: Selection,
    target: Target,
    concurrency: int,
    metadata: Sequence[str],
    *,
    as_json: bool,
) -> int:
    """Find the files, send them, print what became of them, and return the exit code. Raises CliError."""
    pairs = metadata_from(metadata)
    found = discover(paths, selection)
    if not found.files and not found.unreadable:
        raise CliError(f"no files in {', '.join(map(str, paths))}")
    report = asyncio.run(_send(found, target, concurrency, pairs))
    for failure in report.failures:
        note(f"failed: {failure.id}: {failure.error}")
    if as_json:
        emit_json(report.to_json())
    else:
        emit(report.summary())
    if report.stopped is not None:
        raise report.stopped
    return report.exit_code


async def _send(found: Found, target: Target, concurrency: int, metadata: dict[str, Scalar]) -> Report:
    report = Report(len(found.files) + len(found.unreadable))
    async with ServiceClient(target.url, api_key=target.api_key) as client:
        await client.require_ready()
        if sum(file.size for file in found.files) > _UNASKED_BYTES:
            await client.require_ingest()
        for item in found.unreadable:
            report.record(Outcome(item.id, str(item.path), "failed", item.reason))
        started = time.perf_counter()
        with progress("Ingesting", len(found.files), "documents") as advance:

            def record(outcome: Outcome) -> None:
                report.record(outcome)
                advance(1)

            try:
                await upload(client, found.files, metadata, concurrency, record)
            except asyncio.CancelledError:  # Ctrl-C: what was recorded is what was done
                report.interrupted = True
            except CliError as error:
                report.stopped = error
        report.seconds = time.perf_counter() - started
    return report
