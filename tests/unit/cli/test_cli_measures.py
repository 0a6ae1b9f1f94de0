from __future__ import annotations

from math import log2

import pytest

from ragfleet_cli.evaluate.measures import MEASURES, MRR, NDCG, RECALL, interval, mean, per_question


def measure(ranking: list[str], judged: dict[str, int], *, graded: bool = False) -> dict[str, float]:
    return per_question({"q": ranking}, {"q": judged}, graded=graded)["q"]


def test_values_against_the_definitions_by_hand() -> None:
    judged = {"a": 3, "b": 1, "c": 1, "d": 0, "e": -1}
    values = measure(["x", "a", "d", "b"], judged)
    ideal = 1 + 1 / log2(3) + 1 / log2(4)
    assert values[NDCG] == pytest.approx((1 / log2(3) + 1 / log2(5)) / ideal)
    assert values[RECALL] == pytest.approx(2 / 3)
    assert values[MRR] == pytest.approx(1 / 2)


def test_graded_gains_change_ndcg_alone() -> None:
    judged = {"a": 3, "b": 1, "c": 0, "e": -2}
    values = measure(["e", "b", "a"], judged, graded=True)
    assert values[NDCG] == pytest.approx((1 / log2(3) + 3 / log2(4)) / (3 + 1 / log2(3)))
    assert values[RECALL] == 1.0
    assert values[MRR] == pytest.approx(1 / 2)


def test_cut_offs() -> None:
    ranking = [f"x{n}" for n in range(10)] + ["a"] + [f"y{n}" for n in range(88)] + ["b", "c"]
    values = measure(ranking, {"a": 1, "b": 1, "c": 1})
    assert len(ranking) == 101
    assert values == {NDCG: 0.0, RECALL: pytest.approx(2 / 3), MRR: 0.0}


def test_the_order_given_is_the_order_measured() -> None:
    """No other tie-break than the service's own: names don't matter."""
    for first, second in (("a", "b"), ("b", "a")):
        assert measure([first, second], {first: 1})[MRR] == 1.0
        assert measure([first, second], {second: 1})[MRR] == 0.5


def test_a_question_that_found_nothing_counts_as_zero() -> None:
    values = per_question({"q": ["a"], "r": []}, {"q": {"a": 1}, "r": {"a": 1}, "s": {"a": 1}}, graded=False)
    assert values["q"] == dict.fromkeys(MEASURES, 1.0)
    assert values["r"] == values["s"] == dict.fromkeys(MEASURES, 0.0)


def test_odd_ids() -> None:
    odd = ['a b\t"c"', "é/日", "%20#?", ""]
    values = measure(odd, dict.fromkeys(odd, 1))
    assert values == dict.fromkeys(MEASURES, pytest.approx(1.0))


def test_the_interval_is_deterministic_and_around_the_mean() -> None:
    values = [n / 99 for n in range(100)]
    low, high = interval(values)
    assert (low, high) == interval(list(values))
    assert mean(values) == pytest.approx(0.5)
    assert low < 0.5 < high
    # The standard error is 0.0293; the normal interval is 0.5 ± 1.96 of them.
    assert low == pytest.approx(0.5 - 1.96 * 0.0293, abs=0.01)
    assert high == pytest.approx(0.5 + 1.96 * 0.0293, abs=0.01)


def test_equal_values_leave_no_doubt() -> None:
    assert interval([0.25] * 7) == (0.25, 0.25)
