"""Sending files to the service: in batches, a few at a time, with the outcome of each file."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO, Final, Literal

from ragfleet_cli.apart import post_apart
from ragfleet_cli.bounded import for_each
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.walk import SourceFile

BATCH_BYTES: Final = 4 * 2**20
BATCH_FILES: Final = 32

Status = Literal["indexed", "unchanged", "failed"]
_LANDED: Final = ("indexed", "unchanged")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a file. ``error`` says why it failed."""

    id: str
    path: str
    status: Status
    error: str | None = None


Record = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class _Part:
    file: SourceFile
    content: bytes | BinaryIO
    metadata: Mapping[str, Any]


def batches(files: Iterable[SourceFile]) -> Iterator[list[SourceFile]]:
    """The files in order, in batches of at most BATCH_FILES and BATCH_BYTES; a larger file goes alone."""
    batch: list[SourceFile] = []
    size = 0
    for file in files:
        if batch and (len(batch) == BATCH_FILES or size + file.size > BATCH_BYTES):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += file.size
    if batch:
        yield batch


async def upload(
    client: ServiceClient,
    files: Sequence[SourceFile],
    metadata: Mapping[str, Any],
    concurrency: int,
    record: Record,
) -> None:
    """Send all files, ``concurrency`` batches at a time, and record the outcome of each.

    Raises CliError where the service can't be reached or refuses everything; what was recorded stays true.
    """
    uploader = _Uploader(client, metadata, record)
    await for_each(uploader.send, batches(files), concurrency)


class _Uploader:
    def __init__(self, client: ServiceClient, metadata: Mapping[str, Any], record: Record) -> None:
        self._client = client
        self._metadata = metadata
        self._record = record

    async def send(self, batch: Sequence[SourceFile]) -> None:
        """Send the files that can be read."""
        with ExitStack() as stack:
            parts = []
            for file in batch:
                try:
                    parts.append(await asyncio.to_thread(_read, file, self._metadata, stack))
                except OSError as error:
                    reason = (error.strerror or str(error)).lower()
                    self._record(Outcome(file.id, str(file.path), "failed", reason))
            if parts:
                await post_apart(self._client, parts, self._post, self._answered)

    async def _post(self, parts: Sequence[_Part]) -> list[dict[str, Any]]:
        return await self._client.ingest_files(
            [(part.file.path.name, part.content) for part in parts],
            [part.file.id for part in parts],
            [part.metadata for part in parts],
        )

    def _answered(self, part: _Part, answer: Mapping[str, Any]) -> None:
        self._record(_outcome(part.file, answer))


def _read(file: SourceFile, metadata: Mapping[str, Any], stack: ExitStack) -> _Part:
    """The file's part of a request: its content, or for a large one the open file, which the stack closes."""
    modified = _modified_at(file.path.stat().st_mtime)
    metadata = {**({"modified_at": modified} if modified else {}), **metadata}
    if file.size <= BATCH_BYTES:
        return _Part(file, file.path.read_bytes(), metadata)
    return _Part(file, stack.enter_context(file.path.open("rb")), metadata)


def _modified_at(seconds: float) -> str | None:
    """The time as ISO 8601 in UTC; None for one outside the calendar, which file systems may hold."""
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return None


def _outcome(file: SourceFile, answer: Mapping[str, Any]) -> Outcome:
    status = answer.get("status")
    if status in _LANDED:
        return Outcome(file.id, str(file.path), status)
    reason = answer.get("error") or f"the service answered with the status {status!r}"
    return Outcome(file.id, str(file.path), "failed", str(reason))
