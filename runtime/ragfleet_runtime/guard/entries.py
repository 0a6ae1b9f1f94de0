"""From the entries of a Secret to API keys."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

Role = Literal["query", "ingest", "admin"]

ROLES: Final[tuple[Role, ...]] = ("query", "ingest", "admin")
MIN_CHARACTERS: Final = 16
MAX_CHARACTERS: Final = 1024
NAMING: Final = "NAME.ROLE, or NAME.ROLE.ROLE for several roles: query, ingest, admin"
# What a header can carry (VCHAR of RFC 5234).
_VISIBLE: Final = re.compile(r"[\x21-\x7e]*")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key that callers may present.

    name: whose it is. roles: all that it may do, so that those of an admin are all roles.
    digest: SHA-256 of the key; the key itself is not kept.
    """

    name: str
    roles: frozenset[Role]
    digest: bytes = field(repr=False)


class Refusal(NamedTuple):
    """An entry that is not taken, and why. It never holds the entry's value."""

    entry: str
    reason: str


class Keys(NamedTuple):
    """The keys of a Secret, and the entries that are none."""

    taken: tuple[ApiKey, ...]
    refused: tuple[Refusal, ...]


def read_keys(entries: Mapping[str, str]) -> Keys:
    """The keys among a Secret's entries, each named NAME.ROLE, or NAME.ROLE.ROLE for several roles."""
    taken: dict[bytes, tuple[str, ApiKey]] = {}
    refused = []
    for entry in sorted(entries):
        name, *roles = entry.split(".")
        reason = _fault(name, roles, entries[entry])
        key = ApiKey(name, _all_of(roles), digest_of(entries[entry].encode(errors="surrogatepass")))
        if reason is None and key.digest in taken:
            reason = f"it holds the same key as the entry {taken[key.digest][0]}"
        if reason is None:
            taken[key.digest] = (entry, key)
        else:
            refused.append(Refusal(entry, reason))
    return Keys(tuple(key for _, key in taken.values()), tuple(refused))


def digest_of(key: bytes) -> bytes:
    """What is compared in a key's place: it has one length for all, and tells nothing of the key."""
    return hashlib.sha256(key).digest()


def find(keys: Iterable[ApiKey], key: bytes) -> ApiKey | None:
    """The key that was presented, or None. It is compared with every key, so that time tells nothing."""
    digest, found = digest_of(key), None
    for known in keys:
        if hmac.compare_digest(known.digest, digest):
            found = known
    return found


def value_fault(value: str) -> str | None:
    """Why a value can't be a key, or None. It doesn't hold the value."""
    if not MIN_CHARACTERS <= len(value) <= MAX_CHARACTERS:
        return f"a key has {MIN_CHARACTERS} to {MAX_CHARACTERS} characters, and this has {len(value)}"
    if not _VISIBLE.fullmatch(value):
        return "a key has only letters, digits and signs of ASCII, and no spaces: a header can't carry others"
    return None


def _fault(name: str, roles: list[str], value: str) -> str | None:
    """Why an entry is no key, or None."""
    unknown = [role for role in roles if role not in ROLES]
    if not name or not roles or "" in roles:
        return f"entries are named {NAMING}"
    if unknown:
        return f"{unknown[0]} is not a role; entries are named {NAMING}"
    return value_fault(value)


def _all_of(roles: Iterable[str]) -> frozenset[Role]:
    named = frozenset(role for role in ROLES if role in roles)
    return frozenset(ROLES) if "admin" in named else named
