"""Children as the engine takes them: what they are compared by at hand, the rest where it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from ragfleet_operator.engine.drift import digest_of
from ragfleet_operator.engine.trim import exact
from ragfleet_operator.kinds import SECRET, Kind
from ragfleet_operator.model import Child, Object, Ref, Way

# Of a child that is there and only ensured, all that is ever written again.
IDENTITY: Final = ("apiVersion", "kind", "metadata")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A child that should be there.

    mark: the hash of its manifest, "" where it is only ensured. given: the manifest, or its JSON.
    can_be_made: whether the manifest is whole; else it has its ``IDENTITY``, and no contents.
    """

    ref: Ref
    way: Way
    mark: str
    given: Object | bytes = field(repr=False)  # of a new Secret, with its values
    can_be_made: bool = True

    @property
    def kind(self) -> Kind:
        """Its kind."""
        return self.ref.kind

    @property
    def name(self) -> str:
        """Its name."""
        return self.ref.name

    @property
    def manifest(self) -> Object:
        """Its manifest, without the mark. Where it is kept as JSON it is another object each time."""
        if not isinstance(self.given, bytes):
            return self.given
        manifest: Object = orjson.loads(self.given)
        return manifest


def wanted(children: Sequence[Child]) -> tuple[tuple[Wanted, ...], tuple[Wanted, ...]]:
    """Children as they were rendered; the same to be remembered, as JSON, and without Secrets' values."""
    pairs = [_ensured(child) if child.way is Way.ENSURED else _applied(child) for child in children]
    return tuple(now for now, _ in pairs), tuple(later for _, later in pairs)


def _applied(child: Child) -> tuple[Wanted, Wanted]:
    text = orjson.dumps(child.manifest, option=orjson.OPT_SORT_KEYS)
    ref, mark = child.ref, digest_of(text)
    return Wanted(ref, child.way, mark, child.manifest), Wanted(ref, child.way, mark, exact(text))


def _ensured(child: Child) -> tuple[Wanted, Wanted]:
    """A Secret's values aren't kept, nor what is kept in a ControllerRevision anyway."""
    # One that was there has no values here; an empty one would never be looked into again.
    is_whole = child.kind != SECRET or "stringData" in child.manifest
    now = Wanted(child.ref, child.way, "", child.manifest, can_be_made=is_whole)
    text = orjson.dumps({name: child.manifest[name] for name in IDENTITY})
    return now, Wanted(now.ref, child.way, "", exact(text), can_be_made=False)
