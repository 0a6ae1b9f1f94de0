"""Which of the engine's hits are the answer to a search, and when more must be asked for. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from ragfleet_runtime.index.documents import Key
from ragfleet_runtime.index.engine import Hit

_SPARE = 2  # one hit more than asked for shows a tie at the end; another stands in for one that is dropped
_MOST = 10_000
# A tie at the end is followed so far: passages that are all the same would cost a search many milliseconds.
_MOST_TIED = 1_000
_ATTEMPTS = 10


class Gathering:
    """Collects ``top_k`` passages (or the best of each of ``top_k`` documents) that are committed.

    Ask the engine for ``limit`` hits, look up which are current and which of the ``uncertain`` are pending,
    ``take`` them, and again until ``take`` returns the result.
    """

    def __init__(self, top_k: int, *, group_by_document: bool) -> None:
        self._top_k = top_k
        self._group = group_by_document
        self._attempts = 0
        self.limit = top_k + _SPARE

    def uncertain(self, hits: Sequence[Hit], current: Mapping[Key, str]) -> set[str]:
        """Revisions among the hits that aren't their document's current one; a deleted one has none."""
        return {hit.passage.revision for hit in hits if _is_other_version(hit, current)}

    def take(
        self,
        hits: Sequence[Hit],
        current: Mapping[Key, str],
        pending: Set[str],
    ) -> list[Hit] | None:
        """The result, or None where the engine must be asked again, with what is now ``limit``.

        current: the current revision of each document among the hits, looked up after the engine answered.
        pending: which of ``uncertain`` are being written and not committed yet.
        """
        self._attempts += 1
        visible = [hit for hit in hits if current.get(key_of(hit)) == hit.passage.revision]
        if self._attempts < _ATTEMPTS and self.uncertain(hits, current) - pending:
            # A version that was replaced since the engine was asked. The new one may have come after the
            # question to the engine, so that neither would be seen: ask again.
            return None
        return self._decide(hits, visible)

    def take_settled(self, hits: Sequence[Hit]) -> list[Hit] | None:
        """As ``take``, where it is known without a look-up that every hit is current."""
        self._attempts += 1
        return self._decide(hits, hits)

    def _decide(self, hits: Sequence[Hit], visible: Sequence[Hit]) -> list[Hit] | None:
        ranked = rank(visible, group_by_document=self._group)
        if len(hits) < self.limit or self.limit >= _MOST or self._is_decided(ranked, hits[-1].score):
            return ranked[: self._top_k]
        self.limit = min(self.limit * 2, _MOST)
        return None

    def _is_decided(self, ranked: Sequence[Hit], lowest_score: float) -> bool:
        """Whether no hit beyond the limit can belong to the result, or tie with its last one."""
        if len(ranked) < self._top_k:
            return False
        return self.limit >= _MOST_TIED or ranked[self._top_k - 1].score > lowest_score


def rank(hits: Sequence[Hit], *, group_by_document: bool) -> list[Hit]:
    """Hits by score, equal scores by document and place; where asked, only the best of each document."""
    ranked = sorted(hits, key=lambda hit: (-hit.score, hit.passage.document_id, hit.passage.number))
    if not group_by_document:
        return ranked
    best: dict[Key, Hit] = {}
    for hit in ranked:
        best.setdefault(key_of(hit), hit)
    return list(best.values())


def key_of(hit: Hit) -> Key:
    """The document that the hit is of."""
    return Key(hit.passage.tenant, hit.passage.document_id)


def _is_other_version(hit: Hit, current: Mapping[Key, str]) -> bool:
    """Whether the document exists, but in another version than the hit's. A deleted one has no other."""
    return current.get(key_of(hit), hit.passage.revision) != hit.passage.revision
