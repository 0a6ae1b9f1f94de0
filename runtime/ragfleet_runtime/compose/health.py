"""What GET /health asks."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.compose.index import Index
from ragfleet_runtime.embed.limits import truncation_warning
from ragfleet_runtime.guard.keys import KeyRing
from ragfleet_runtime.observe.health import Part, Verdict

_LOW_DISK_BYTES = 256 * 2**20


def health_parts(config: RuntimeConfig, folder: Path, index: Index, ring: KeyRing | None) -> Sequence[Part]:
    """The parts of the service."""
    collection = index.collection

    async def documents() -> Verdict:
        await collection.store.totals()
        return Verdict()

    async def engine() -> Verdict:
        await collection.engine.count()
        return Verdict()

    async def order() -> Verdict:
        if collection.maintenance.is_settled:
            return Verdict()
        return Verdict(reason="recent writes are being put in order; searches see them already")

    parts = [Part("documents", documents), Part("engine", engine), Part("index", order)]
    if config.store.engine == "Embedded":
        parts.append(_disk(folder))
    if index.embedding is not None and index.embedding.local is not None:
        reason = truncation_warning(index.embedding.local, config.chunking.max_tokens)
        parts.append(_constant("embedding", Verdict("degraded", reason) if reason else Verdict()))
    if ring is not None:
        parts.append(Part("keys", ring.check))
    return parts


def _disk(folder: Path) -> Part:
    async def disk() -> Verdict:
        free = shutil.disk_usage(folder).free
        if free < _LOW_DISK_BYTES:
            return Verdict("degraded", f"{free // 2**20} MiB free on the data folder's disk: free some space")
        return Verdict()

    return Part("disk", disk)


def _constant(name: str, verdict: Verdict) -> Part:
    async def check() -> Verdict:
        return verdict

    return Part(name, check)
