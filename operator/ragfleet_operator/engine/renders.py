"""What was last rendered for each pipeline, so that most passes don't have to render."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

from ragfleet_operator.engine.wanted import Wanted, wanted
from ragfleet_operator.model import Key, Object, Ref
from ragfleet_operator.render import Inputs


class _Last(NamedTuple):
    """What came of the inputs with that digest. ensured: what has to be there already."""

    inputs: bytes
    children: tuple[Wanted, ...]
    ensured: frozenset[Ref]


class Renders:
    """The children of pipelines by what they are rendered from: the last of each, some fourteen kilobytes.

    What is remembered holds for exactly one value of ``Inputs``, and only while all is there that is made
    once: what Secrets hold isn't remembered.
    """

    def __init__(self) -> None:
        self._last: dict[Key, _Last] = {}

    def forget(self, key: Key) -> None:
        """Drop what is remembered of a pipeline."""
        self._last.pop(key, None)

    def children(
        self, inputs: Inputs, there: Mapping[Ref, Object], new_secret: Callable[[], str]
    ) -> tuple[Wanted, ...]:
        """The children that should be there, in the order of ``kinds.CHILDREN``. See ``Inputs.children``."""
        digest, last = inputs.digest(), self._last.get(inputs.key)
        if last is not None and last.inputs == digest and last.ensured <= there.keys():
            return last.children
        now, later = wanted(inputs.children(there, new_secret))
        ensured = frozenset(child.ref for child in later if not child.can_be_made)
        self._last[inputs.key] = _Last(digest, later, ensured)
        return now
