"""Settings that replicas share: one point, changed only by who has seen its last version."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from secrets import token_hex

from qdrant_client.http import models as q

from ragfleet_runtime.errors import UnavailableError
from ragfleet_runtime.index.qdrant.filters import has
from ragfleet_runtime.index.qdrant.points import Points, upsert
from ragfleet_runtime.index.qdrant.records import SETTINGS, SETTINGS_ID, TYPE

_ATTEMPTS = 30
_LONGEST_PAUSE_SECONDS = 0.05
_READING = "reading settings"
_WRITING = "writing settings"

Values = dict[str, str]


class SharedSettings:
    """Names and values that all replicas see alike."""

    def __init__(self, points: Points) -> None:
        self._points = points

    async def read(self) -> Values:
        """All settings."""
        return (await self._read())[1]

    async def put(self, settings: Mapping[str, str]) -> None:
        """Keep settings, all at once."""
        await self.change(lambda values: {**values, **settings})

    async def put_new(self, name: str, settings: Mapping[str, str]) -> None:
        """Keep settings, all at once, unless there is one of that name already: the first writer wins."""
        await self.change(lambda values: None if name in values else {**values, **settings})

    async def change(self, function: Callable[[Values], Values | None]) -> Values:
        """Replace the settings by what ``function`` makes of them, or leave them where that is None.

        It is called again where somebody else was first, so that it must be pure and its effect idempotent.
        Returns the settings that stand.
        """
        for _ in range(_ATTEMPTS):
            version, before = await self._read()
            after = function(dict(before))
            if after is None or after == before:
                return before
            if await self._replace(version, after):
                return after
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE_SECONDS))  # noqa: S311 (no secret)
        raise UnavailableError(f"{_WRITING}: others wrote at the same time, {_ATTEMPTS} times over")

    async def _read(self) -> tuple[int, Values]:
        found = await self._points.get(_READING, [SETTINGS_ID])
        payload = found.get(SETTINGS_ID, {})
        return payload.get("version", 0), dict(payload.get("values", {}))

    async def _replace(self, version: int, values: Values) -> bool:
        """Write the next version if the last is still ``version``; returns whether that was so."""
        writer = token_hex(8)
        point = {
            "id": SETTINGS_ID,
            "vector": {},
            "payload": {TYPE: SETTINGS, "version": version + 1, "writer": writer, "values": values},
        }
        if version == 0:
            operation = upsert([point], "insert_only")
        else:
            operation = upsert([point], "update_only", q.Filter(must=[has("version", version)]))
        await self._points.write(_WRITING, [operation])
        found = await self._points.get(_WRITING, [SETTINGS_ID], ["writer"])
        return found.get(SETTINGS_ID, {}).get("writer") == writer
