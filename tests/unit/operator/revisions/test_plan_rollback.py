"""What becomes of a revision that doesn't get ready."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ragfleet_operator.model import Rejected
from ragfleet_operator.render import pod, revision
from ragfleet_operator.render.concern import as_json
from ragfleet_operator.revisions import is_rolled_back, needs_pods
from support.revision_world import AWAY, OTHER_IMAGE, World, with_top_k


def failed(word: str = "CrashLoopBackOff", **more: Any) -> tuple[World, str, str]:
    """A world with a good revision and a bad one, whose rollout is late; their ids."""
    world = World(changes=with_top_k(5, **more))
    world.settle()
    good = world.running
    world.edit(with_top_k(6, **more))
    bad = world.step().revision.id
    world.fails(word)
    return world, good, bad


def rolled_back() -> tuple[World, str, str]:
    """The same after the rollback, with the good one's pods all there."""
    world, good, bad = failed()
    world.step()
    world.becomes_ready()
    assert world.running == good
    return world, good, bad


def test_a_revision_that_fails_by_its_own_fault_gives_way_to_the_last_good() -> None:
    world, good, bad = failed()
    made = world.step()
    assert made.revision.id == good == world.running
    assert made.state.rejected == Rejected(
        bad,
        2,
        "CrashLoopBackOff",
        f"pod handbook-{bad}-x started and failed again and again (exit code 1, Error)",
    )
    assert (made.state.current, made.state.last_good) == (good, good)
    assert is_rolled_back(made.state)


def test_the_template_and_the_configuration_are_those_that_were_kept() -> None:
    world, good, _ = failed()
    kept = world.known[good]
    made = world.step()
    assert made.revision == kept
    assert world.deployment is not None
    assert world.deployment["spec"]["template"]["spec"] == kept.template["spec"]


def test_nothing_is_rejected_before_the_deployment_says_that_it_is_late() -> None:
    world, _, bad = failed()
    assert world.deployment is not None
    world.deployment["status"]["conditions"] = []
    assert not needs_pods(world.pipeline, world.seen)
    assert world.step().revision.id == bad


def test_a_verdict_on_the_version_before_is_not_taken_for_the_newest() -> None:
    world, _, bad = failed()
    assert world.deployment is not None
    world.deployment["metadata"]["generation"] += 1
    assert world.step().revision.id == bad


def test_pods_are_asked_for_only_where_there_is_something_to_go_back_to() -> None:
    world, good, _ = failed()
    assert needs_pods(world.pipeline, world.seen)
    world.status["revisions"]["lastGood"] = ""
    assert not needs_pods(world.pipeline, world.seen)
    world.status["revisions"]["lastGood"] = good
    world.edit({**world.changes, "upgrade.rollback": "Never"})
    assert not needs_pods(world.pipeline, world.seen)


def test_a_single_revision_has_nothing_to_go_back_to() -> None:
    world = World()
    first = world.step().revision.id
    world.fails(old=0)
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (first, None)


def test_the_verdict_holds_over_restarts_and_passes() -> None:
    world, good, _ = rolled_back()
    for _ in range(3):
        made = world.step()
        assert made.revision.id == good
        assert is_rolled_back(made.state)


def test_the_verdict_holds_before_the_deployment_is_applied() -> None:
    world, good, bad = failed()
    deployment = world.deployment
    world.step()
    world.deployment = deployment  # the operator was killed between the status and the Deployment
    made = world.step()
    assert made.revision.id == good
    assert made.state.rejected is not None
    assert made.state.rejected.revision == bad


def test_the_same_specification_of_another_generation_is_not_tried_again() -> None:
    world, good, bad = rolled_back()
    world.edit(with_top_k(6, replicas=5))
    made = world.step()
    assert made.revision.id == good
    assert made.state.rejected is not None
    assert made.state.rejected.revision == bad
    assert made.pipeline.spec.replicas == 5
    world.edit(with_top_k(6, **{"requests.deadlineSeconds": 60}))  # the default, written out
    assert world.step().revision.id == good


def test_a_specification_that_makes_another_revision_is_tried() -> None:
    world, good, bad = rolled_back()
    world.edit(with_top_k(7))
    made = world.step()
    assert made.revision.id not in (good, bad)
    assert made.state.rejected is None
    assert not is_rolled_back(made.state)


def test_a_specification_that_is_taken_back_restarts_nothing() -> None:
    world, good, _ = rolled_back()
    before = world.deployment
    world.edit(with_top_k(5))
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (good, None)
    assert world.deployment == before


def test_a_specification_that_is_edited_during_the_rollback_is_tried() -> None:
    world, good, bad = failed()
    world.step()  # the good one's pods aren't all there yet
    world.edit(with_top_k(7))
    made = world.step()
    third = made.revision.id
    assert third not in (good, bad)
    world.fails()
    made = world.step()
    assert (made.revision.id, made.state.last_good) == (good, good)
    assert made.state.rejected is not None
    assert made.state.rejected.revision == third


def test_the_rejected_is_tried_again_after_another_edit_in_between() -> None:
    world, _, bad = rolled_back()
    world.edit(with_top_k(5))
    world.settle()
    world.edit(with_top_k(6))
    assert world.step().revision.id == bad


def test_nothing_goes_back_by_itself_where_the_pipeline_says_never() -> None:
    world, _, bad = failed(**{"upgrade.rollback": "Never"})
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (bad, None)


def test_never_takes_a_verdict_away() -> None:
    world, _, bad = rolled_back()
    world.edit({**world.changes, "upgrade.rollback": "Never"})
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (bad, None)


def test_a_rejected_revision_that_runs_after_all_loses_its_verdict() -> None:
    world, _, bad = failed()
    deployment = world.deployment
    world.step()
    world.deployment = deployment
    assert world.becomes_ready() == bad
    made = world.step()
    assert (made.revision.id, made.state.last_good, made.state.rejected) == (bad, bad, None)


def test_a_rollout_is_held_where_the_good_revision_was_deleted_by_hand() -> None:
    world, good, bad = failed()
    del world.kept[f"handbook-{good}"]
    made = world.step()
    assert (made.revision.id, made.state.rejected, made.stays) == (bad, None, False)


def test_pods_stay_where_the_good_revision_was_deleted_by_hand_after_the_rollback() -> None:
    world, good, _ = rolled_back()
    del world.kept[f"handbook-{good}"]
    before = world.deployment
    made = world.step()
    assert made.stays
    assert (made.state.current, made.state.last_good) == (good, good)
    assert is_rolled_back(made.state)
    assert world.deployment == before
    world.edit(with_top_k(7))
    made = world.step()
    assert not made.stays
    assert made.state.rejected is None


def test_with_neither_the_good_revision_nor_a_deployment_what_is_asked_for_is_tried() -> None:
    world, good, bad = rolled_back()
    del world.kept[f"handbook-{good}"]
    world.deployment = None
    made = world.step()
    assert (made.revision.id, made.stays, made.state.rejected) == (bad, False, None)


def test_an_operator_whose_image_fails_goes_back_to_the_one_of_before_and_does_not_try_again() -> None:
    world = World(changes=with_top_k(5, **{"runtime": {"upgradePolicy": "WithOperator"}}))
    world.settle()
    good, old = world.running, world.settings.image
    world.settings = OTHER_IMAGE
    bad = world.step().revision
    assert bad.image == OTHER_IMAGE.image
    world.fails("ErrImagePull")
    made = world.step()
    assert (made.revision.id, made.revision.image) == (good, old)
    world.becomes_ready()
    assert world.step().revision.id == good
    world.edit(with_top_k(5))
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (good, None), "pinned, it asks for what runs"


def test_of_two_renders_of_one_specification_the_one_that_runs_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(changes=with_top_k(5, **{"runtime": {"upgradePolicy": "WithOperator"}}))
    world.settle()
    good = world.running

    def newer(*values: Any) -> dict[str, Any]:
        template = pod.pod_template(*values)
        return {**template, "spec": {**template["spec"], "hostUsers": False}}

    monkeypatch.setattr(revision, "pod_template", newer)
    bad = world.step().revision
    assert (bad.id != good, bad.input) == (True, world.known[good].input)
    world.fails()
    world.settle(bad=frozenset({bad.id}))
    world.edit(with_top_k(5))
    made = world.step()
    assert (made.revision.id, made.state.rejected) == (good, None)


def test_pods_stay_at_what_people_pinned_where_the_good_revision_is_gone() -> None:
    world, good, bad = rolled_back()
    world.edit(with_top_k(7))
    third = world.step().revision.id
    world.edit(with_top_k(6))
    world.step()
    world.fails()
    world.settle(bad=frozenset({bad}))
    world.pin(third)
    world.step()
    del world.kept[f"handbook-{good}"]
    world.unpin()
    made = world.step()
    assert made.revision.id == third == world.running
    assert not made.stays
    assert is_rolled_back(made.state)


def test_a_newer_operator_does_not_try_again_what_was_rejected() -> None:
    """The image that nobody names is that of the rejected revision, where the good one's was named."""
    world = World(changes=with_top_k(5, **{"runtime.image": "own.example/rag:1"}))
    world.settle()
    good = world.running
    world.edit(with_top_k(5))
    bad = world.step().revision
    assert bad.image == world.settings.image
    world.fails("ErrImagePull")
    world.step()
    world.becomes_ready()
    world.settings = OTHER_IMAGE
    made = world.step()
    assert made.revision.id == good
    assert made.state.rejected is not None
    assert made.state.rejected.revision == bad.id


def test_other_objects_are_made_of_both_specifications() -> None:
    world, good, _ = failed()
    world.edit(with_top_k(6, replicas=9, **{"networkPolicy": {"clients": []}}))
    world.fails()
    made = world.step()
    assert made.revision.id == good
    spec = as_json(made.pipeline.spec)
    assert spec["replicas"] == 9
    assert spec["networkPolicy"] == {"clients": []}
    assert spec["retrieval"] == {"topK": 5}
    assert (made.pipeline.generation, made.pipeline.key) == (3, world.pipeline.key)


def test_the_embedded_engine_goes_back_for_a_named_trouble() -> None:
    world = World(changes={"retrieval.topK": 5})
    world.settle()
    good = world.running
    world.edit({"retrieval.topK": 6})
    bad = world.step().revision.id
    world.fails("", old=0)
    world.report = AWAY
    assert world.step().revision.id == bad, "its store may be out of order"
    world.fails("CrashLoopBackOff", old=0)
    assert world.step().revision.id == bad
    world.report = None
    assert world.step().revision.id == good


@pytest.mark.parametrize("word", ["ImagePullBackOff", "CreateContainerConfigError", ""])
def test_the_reason_is_that_of_the_pods(word: str) -> None:
    world, _, _ = failed(word)
    rejected = world.step().state.rejected
    assert rejected is not None
    assert rejected.reason == (word or "DeadlineExceeded")


def test_a_pass_with_the_same_input_gives_the_same_plan() -> None:
    world, _, _ = failed()
    assert world.plan() == world.plan()
    assert replace(world.plan(), keep=frozenset()) != replace(World().plan(), keep=frozenset())
