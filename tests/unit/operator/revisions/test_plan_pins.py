"""What people pin, by the annotation."""

from __future__ import annotations

import pytest

from ragfleet_operator.names import PIN_ANNOTATION
from ragfleet_operator.revisions import is_rolled_back
from ragfleet_operator.revisions.pin import pin_of, pinned
from support.revision_world import World, legacy_deployment, with_top_k


def two() -> tuple[World, str, str]:
    """A world with two good revisions; their ids, the second runs."""
    world = World()
    world.settle()
    first = world.running
    world.edit(with_top_k(6))
    world.settle()
    return world, first, world.running


def test_a_pinned_revision_runs_as_it_is_kept() -> None:
    world, first, _ = two()
    world.pin(first)
    made = world.step()
    assert (made.revision.id, made.state.pinned, made.state.unknown_pin) == (first, first, "")
    assert made.pipeline.spec.retrieval is not None
    assert made.pipeline.spec.retrieval.top_k == 5
    assert not is_rolled_back(made.state)


def test_the_next_edit_of_the_spec_ends_a_pin() -> None:
    world, first, second = two()
    world.pin(first)
    world.settle()
    world.edit(with_top_k(6, replicas=3))
    made = world.step()
    assert (made.revision.id, made.state.pinned) == (second, "")


def test_a_pin_of_another_generation_does_not_hold() -> None:
    world, first, second = two()
    world.pin(first, generation=1)
    assert world.step().revision.id == second


def test_a_pin_without_a_generation_holds_over_edits() -> None:
    world, first, _ = two()
    world.pin(first, always=True)
    world.edit(with_top_k(7, replicas=3))
    made = world.step()
    assert (made.revision.id, made.state.pinned, made.pipeline.spec.replicas) == (first, first, 3)
    world.unpin()
    assert world.step().revision.number == 3


def test_a_pin_to_what_is_not_kept_moves_nothing() -> None:
    world, _, second = two()
    world.pin("0123456789", always=True)
    before = world.deployment
    made = world.step()
    assert (made.revision.id, made.state.pinned, made.state.unknown_pin) == (second, "", "0123456789")
    world.edit(with_top_k(7))
    made = world.step()
    assert made.revision.id == second
    assert world.deployment == before
    world.unpin()
    assert world.step().revision.number == 3


def test_a_pin_to_nothing_on_a_new_pipeline_does_not_keep_it_from_running() -> None:
    world = World()
    world.pin("0123456789", always=True)
    made = world.step()
    assert (made.state.unknown_pin, made.stays) == ("0123456789", False)
    assert world.deployment is not None


def test_a_pin_to_nothing_leaves_a_deployment_of_which_nothing_is_kept() -> None:
    world = World(deployment=legacy_deployment())
    world.pin("0123456789", always=True)
    made = world.step()
    assert made.stays
    assert world.deployment == legacy_deployment()
    assert not world.kept


def test_a_rejected_revision_that_is_pinned_is_tried_again() -> None:
    world, first, second = two()
    world.edit(with_top_k(7))
    third = world.step().revision.id
    world.fails()
    world.step()
    world.becomes_ready()
    world.pin(third)
    made = world.step()
    assert (made.revision.id, made.state.pinned) == (third, third)
    assert not is_rolled_back(made.state)
    world.becomes_ready()
    made = world.step()
    assert (made.state.last_good, made.state.rejected) == (third, None)
    world.unpin()
    assert world.step().revision.id == third
    assert first != second


def test_a_pinned_revision_that_fails_again_is_rejected_for_that_pin_and_for_the_spec() -> None:
    world, _, second = two()
    world.edit(with_top_k(7))
    third = world.step().revision.id
    world.fails()
    world.settle(bad=frozenset({third}))
    world.pin(third)
    world.step()
    assert world.running == third
    world.fails()
    made = world.step()
    assert (made.revision.id, made.state.pinned) == (second, third)
    assert made.state.rejected is not None
    assert made.state.rejected.pin == f"{third}@3"
    assert is_rolled_back(made.state)
    world.becomes_ready()
    assert world.step().revision.id == second, "the same pin doesn't try it once more"
    world.unpin()
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (second, made.state.rejected), "nor does its end"
    world.pin(third, always=True)
    assert world.step().revision.id == third, "another pin does"


def test_a_verdict_on_what_the_spec_asks_for_outlives_a_pin_to_another() -> None:
    world, first, second = two()
    world.edit(with_top_k(7))
    third = world.step().revision.id
    world.fails()
    world.settle(bad=frozenset({third}))
    world.pin(first)
    made = world.step()
    assert (made.revision.id, is_rolled_back(made.state)) == (first, False)
    world.becomes_ready()
    world.unpin()
    made = world.step()
    assert made.state.rejected is not None
    assert made.state.rejected.revision == third
    assert made.revision.id == first, "the last good one is that which was pinned"
    assert second != first


def test_a_pin_to_nothing_after_a_rollback_keeps_the_verdict() -> None:
    world, _, second = two()
    world.edit(with_top_k(7))
    third = world.step().revision.id
    world.fails()
    world.settle(bad=frozenset({third}))
    world.pin("0123456789")
    world.settle()
    assert world.running == second
    world.unpin()
    made = world.step()
    assert made.revision.id == second
    assert is_rolled_back(made.state)


@pytest.mark.parametrize(
    ("text", "generation", "expected"),
    [
        ("abc@2", 2, ("abc", "abc@2")),
        (" abc \n", 7, ("abc", "abc")),
        ("abc@2", 3, ("", "")),
        ("abc@02", 2, ("", "")),
        ("abc@", 2, ("", "")),
        ("@2", 2, ("", "")),
        ("", 2, ("", "")),
        ("x" * 500, 2, ("x" * 500, "x" * 500)),
    ],
)
def test_a_pin_is_an_id_and_a_generation(text: str, generation: int, expected: tuple[str, str]) -> None:
    world = World(generation=generation, annotations={PIN_ANNOTATION: text})
    assert (pinned(world.pipeline), pin_of(world.pipeline)) == expected
    assert len(world.plan().state.unknown_pin) <= 63
