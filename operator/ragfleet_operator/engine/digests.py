"""Keyed hashes of what Secrets and ConfigMaps hold: they tell that a value changed, and not what it is."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections.abc import Iterable, Mapping
from typing import Final

import orjson

from ragfleet_operator.engine.trim import contents
from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Object, Ref

_TOKEN: Final = "token"  # noqa: S105 - the entry's name
# Another text would be another digest of the same values, and roll the pods of every pipeline.
_PURPOSE: Final = b"ragfleet.dev/secrets"
_HEX_DIGITS: Final = 32

# By entry.
Sums = Mapping[str, bytes]


class DigestKey:
    """A pipeline's key, from the token of its admin port: random, its own, and as lasting as its Secret.

    The token itself isn't kept.
    """

    __slots__ = ("_key",)

    def __init__(self, token: bytes) -> None:
        self._key = hmac.digest(token, _PURPOSE, "sha256")

    @classmethod
    def of(cls, secret: Object) -> DigestKey | None:
        """The key by the Secret of the admin port's token; None where that has no token."""
        try:
            token = base64.b64decode((secret.get("data") or {}).get(_TOKEN) or "", validate=True).strip()
        except (TypeError, ValueError):
            return None
        return cls(token) if token else None

    def __repr__(self) -> str:
        return "DigestKey(…)"

    def sums(self, kind: Kind, obj: Object) -> Sums:
        """The digest of each entry that holds something (HMAC-SHA256, RFC 2104)."""
        name = obj["metadata"]["name"]
        return {
            entry: self._sum([kind.kind, name, field, entry, value])
            for field, entry, value in contents(kind, obj)
        }

    def digest(self, parts: Iterable[tuple[Ref, str, bytes]]) -> str:
        """One digest of entries, each with its object and its sum, in whatever order; 32 hex digits."""
        lines = sorted([ref.kind.kind, ref.name, entry, value.hex()] for ref, entry, value in parts)
        return self._sum(lines).hex()[:_HEX_DIGITS]

    def _sum(self, value: list[str] | list[list[str]]) -> bytes:
        return hmac.digest(self._key, orjson.dumps(value), "sha256")


class Marker:
    """Tells whether an object's entries are as they were before, in this process alone.

    Its key is random and lives as long as the process, so that nothing can be made of what is kept.
    """

    __slots__ = ("_key",)

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def __repr__(self) -> str:
        return "Marker(…)"

    def mark(self, kind: Kind, obj: Object) -> bytes:
        """A digest of all its entries (BLAKE2b, RFC 7693)."""
        lines = [list(entry) for entry in contents(kind, obj)]
        return hashlib.blake2b(orjson.dumps(lines), key=self._key, digest_size=16).digest()
