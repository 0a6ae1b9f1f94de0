"""A lease in the shared settings: work that one replica does at a time.

Its holder renews it while it works. Nobody's clock is compared with another's: a replica that wants it takes
it over when it has watched it for EXPIRY_SECONDS of its own without a renewal.
"""

from __future__ import annotations

import json
import time
from secrets import token_hex

from ragfleet_runtime.index.qdrant.settings import SharedSettings, Values

EXPIRY_SECONDS = 30.0
_RENEWAL_SECONDS = 5.0


class Lease:
    """One replica's side of a lease."""

    def __init__(
        self, settings: SharedSettings, name: str, *, expiry_seconds: float = EXPIRY_SECONDS
    ) -> None:
        self._settings = settings
        self._name = name
        self._expiry = expiry_seconds
        self._me = token_hex(8)
        self._watched: tuple[str, float] = ("", 0.0)
        self._renewed = 0.0

    def is_free(self, values: Values) -> bool:
        """Whether nobody else holds it, or whoever does has stopped renewing it. Ask now and then."""
        held = values.get(self._name, "")
        if not held or json.loads(held)["holder"] == self._me:
            return True
        now = time.monotonic()
        if self._watched[0] != held:
            self._watched = (held, now)
        return now - self._watched[1] >= self._expiry

    async def acquire(self, values: Values) -> bool:
        """Take it, if it still stands as in ``values``, where it was free."""
        seen = values.get(self._name, "")

        def take(found: Values) -> Values | None:
            held = found.get(self._name, "")
            if held != seen and not self._is_mine(held):
                return None
            return {**found, self._name: self._note(held)}

        return self._is_mine((await self._settings.change(take)).get(self._name, ""))

    async def renew(self) -> bool:
        """Keep it, if it is time to; returns whether it is still held."""
        if time.monotonic() - self._renewed < _RENEWAL_SECONDS:
            return True

        def beat(found: Values) -> Values | None:
            held = found.get(self._name, "")
            return {**found, self._name: self._note(held)} if self._is_mine(held) else None

        return self._is_mine((await self._settings.change(beat)).get(self._name, ""))

    async def release(self) -> None:
        """Give it up, if it is held."""

        def drop(found: Values) -> Values | None:
            if not self._is_mine(found.get(self._name, "")):
                return None
            return {name: value for name, value in found.items() if name != self._name}

        await self._settings.change(drop)

    def _is_mine(self, held: str) -> bool:
        return bool(held) and json.loads(held)["holder"] == self._me

    def _note(self, held: str) -> str:
        beat = json.loads(held)["beat"] + 1 if held else 0
        self._renewed = time.monotonic()
        return json.dumps({"holder": self._me, "beat": beat})
