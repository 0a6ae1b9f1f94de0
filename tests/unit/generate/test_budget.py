from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ragfleet_runtime.generate.budget import ContextBudget, fitted
from ragfleet_runtime.generate.model import Source
from ragfleet_runtime.generate.tokens import EstimatedTokenizer
from ragfleet_runtime.index.engine import Passage
from ragfleet_runtime.retrieve.conversation import Turn

FRAME = 32
TURN = 8


def words(text: str) -> int:
    return len(text.split())


def source(n: int, text: str, *, start: int = 100) -> Source:
    return Source(n, Passage("t", f"d{n}", "r", 0, start, start + len(text), text, "prose"), 1.0 / n)


def of_words(n: int, count: int) -> Source:
    return source(n, " ".join(["word"] * count))


def test_the_lowest_ranked_sources_are_left_out() -> None:
    made = [of_words(n, 100) for n in range(1, 6)]
    found = fitted(made, [], 3 * (100 + FRAME) + 50, words)
    assert found.sources == tuple(made[:3])


def test_a_source_that_doesnt_fit_isnt_replaced_by_a_lower_one() -> None:
    made = [of_words(1, 50), of_words(2, 500), of_words(3, 10)]
    assert fitted(made, [], 300, words).sources == tuple(made[:1])


def test_the_first_source_is_cut_at_the_end_of_a_sentence() -> None:
    text = "One two three four. Five six seven. Eight nine ten eleven twelve."
    found = fitted([source(1, text), of_words(2, 5)], [], FRAME + 9, words).sources
    assert [one.passage.text for one in found] == ["One two three four. Five six seven."]
    passage = found[0].passage
    assert passage.end - passage.start == len(passage.text)
    assert found[0].n == 1


def test_a_single_long_sentence_is_cut_at_the_end_of_a_word() -> None:
    found = fitted([of_words(1, 1000)], [], FRAME + 10, words).sources
    assert found[0].passage.text == " ".join(["word"] * 10)


def test_a_word_without_end_is_still_something() -> None:
    found = fitted([source(1, "x" * 10_000)], [], 256, EstimatedTokenizer().count).sources
    assert found[0].passage.text


def test_the_oldest_turns_are_left_out() -> None:
    turns = [Turn("user", "a " * 30), Turn("assistant", "b " * 30), Turn("user", "c " * 30)]
    found = fitted([of_words(1, 10)], turns, 3 * (2 * (30 + TURN) + 5), words)
    assert found.conversation == tuple(turns[1:])
    assert len(found.sources) == 1


def test_a_long_conversation_leaves_two_thirds_to_the_sources() -> None:
    turns = [Turn("user", "a " * 1000)] * 10
    made = [of_words(n, 100) for n in range(1, 20)]
    found = fitted(made, turns, 1200, words)
    assert found.conversation == ()
    assert len(found.sources) == 1200 // (100 + FRAME)


def test_nothing_found_is_nothing_given() -> None:
    assert fitted([], [Turn("user", "hi")], 256, words).sources == ()


@settings(deadline=None)
@given(
    st.lists(st.integers(1, 400), max_size=8),
    st.lists(st.integers(1, 200), max_size=6),
    st.integers(256, 2000),
)
def test_whatever_comes_the_budget_is_kept(sizes: list[int], turns: list[int], tokens: int) -> None:
    made = [of_words(n, size) for n, size in enumerate(sizes, start=1)]
    said = [Turn("user", " ".join(["said"] * size)) for size in turns]
    found = fitted(made, said, tokens, words)
    used = sum(FRAME + words(one.passage.text) for one in found.sources)
    used += sum(TURN + words(turn.content) for turn in found.conversation)
    assert used <= tokens
    assert [one.n for one in found.sources] == list(range(1, len(found.sources) + 1))
    assert bool(found.sources) == bool(made)
    assert found.conversation == tuple(said[len(said) - len(found.conversation) :])


@pytest.mark.anyio
async def test_a_budget_counts_by_its_tokenizer() -> None:
    made = [of_words(n, 100) for n in range(1, 6)]
    budget = ContextBudget(300, EstimatedTokenizer())
    assert await budget.fit(made, []) == fitted(made, [], 300, EstimatedTokenizer().count)
    budget.close()
