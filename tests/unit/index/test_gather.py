from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ragfleet_runtime.index.documents import Key
from ragfleet_runtime.index.engine import Hit, Passage
from ragfleet_runtime.index.gather import Gathering, rank


def hit(document: str, score: float, number: int = 0, revision: str = "new") -> Hit:
    return Hit(Passage("t", document, revision, number, 0, 1, "x", "prose"), score)


def ids(hits: Sequence[Hit] | None) -> list[str] | None:
    return None if hits is None else [h.passage.document_id for h in hits]


def test_ties_are_in_the_order_of_ids() -> None:
    hits = [hit("c", 1.0), hit("a", 1.0), hit("b", 2.0)]
    assert ids(rank(hits, group_by_document=False)) == ["b", "a", "c"]


def test_a_tie_at_the_end_asks_for_more() -> None:
    gathering = Gathering(1, group_by_document=False)
    current = {Key("t", name): "new" for name in "abcdef"}
    assert gathering.limit == 3
    assert gathering.take([hit("d", 1.0), hit("c", 1.0), hit("b", 1.0)], current, frozenset()) is None
    everything = [hit(name, 1.0) for name in "dcba"]
    assert gathering.limit > len(everything)
    assert ids(gathering.take(everything, current, frozenset())) == ["a"]


def test_a_tie_is_followed_so_far_and_no_further() -> None:
    gathering = Gathering(3, group_by_document=False)
    everything = [hit(f"doc-{n:05}", 1.0) for n in range(5_000)]
    current = {Key("t", one.passage.document_id): "new" for one in everything}
    rounds = 0
    while (found := gathering.take(everything[: gathering.limit], current, frozenset())) is None:
        rounds += 1
    assert ids(found) == ["doc-00000", "doc-00001", "doc-00002"]
    assert 1_000 <= gathering.limit < 2_000
    assert rounds < 10


def test_uncommitted_hits_are_dropped_and_made_up_for() -> None:
    gathering = Gathering(1, group_by_document=False)
    current = {Key("t", "a"): "old"}
    written = [hit("a", 3.0, n, "pending") for n in range(3)]
    assert gathering.take(written, current, {"pending"}) is None
    assert gathering.limit > 3
    found = gathering.take([*written, hit("a", 1.0, 0, "old")], current, {"pending"})
    assert [(h.passage.document_id, h.passage.revision) for h in found or []] == [("a", "old")]


def test_a_version_replaced_meanwhile_is_asked_for_again() -> None:
    # The engine was asked before the new version was written, the store after it was committed.
    gathering = Gathering(5, group_by_document=False)
    current = {Key("t", "a"): "new"}
    assert gathering.take([hit("a", 1.0, 0, "old")], current, frozenset()) is None
    found = gathering.take([hit("a", 2.0, 0, "new"), hit("a", 1.0, 0, "old")], current, frozenset())
    assert found is None  # the old chunks are still there: once more
    assert ids(gathering.take([hit("a", 2.0, 0, "new")], current, frozenset())) == ["a"]


def test_a_deleted_document_is_dropped_without_asking_again() -> None:
    gathering = Gathering(5, group_by_document=False)
    assert gathering.take([hit("gone", 1.0)], {}, frozenset()) == []


def test_grouping_keeps_the_best_passage_of_each_document() -> None:
    gathering = Gathering(2, group_by_document=True)
    current = {Key("t", name): "new" for name in "ab"}
    hits = [hit("a", 3.0, 1), hit("a", 2.0, 0), hit("a", 1.5, 2), hit("b", 1.0, 0)]
    assert gathering.take(hits, current, frozenset()) is None  # four hits fill the limit: b may have a tie
    found = gathering.take(hits, current, frozenset())
    assert [(h.passage.document_id, h.passage.number) for h in found or []] == [("a", 1), ("b", 0)]


@given(
    st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from([1.0, 2.0, 3.0])), max_size=40),
    st.integers(1, 8),
    st.booleans(),
)
def test_the_result_is_that_of_ranking_everything(
    points: list[tuple[str, float]], top_k: int, group: bool
) -> None:
    everything = [hit(name, score, number) for number, (name, score) in enumerate(points)]
    by_score = sorted(everything, key=lambda h: -h.score)  # as the engine: ties in no order of ours
    current = {Key("t", name): "new" for name in "abcdefgh"}
    gathering = Gathering(top_k, group_by_document=group)
    found = None
    while found is None:
        found = gathering.take(by_score[: gathering.limit], current, frozenset())
    assert found == rank(everything, group_by_document=group)[:top_k]


def test_hits_that_are_known_to_be_current_need_no_look_up() -> None:
    gathering = Gathering(1, group_by_document=False)
    assert gathering.take_settled([hit("d", 1.0), hit("c", 1.0), hit("b", 1.0)]) is None  # a tie at the end
    assert ids(gathering.take_settled([hit(name, 1.0) for name in "dcba"])) == ["a"]
