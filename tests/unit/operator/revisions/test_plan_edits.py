"""Which revision runs after edits, and after another operator took over, while all goes well."""

from __future__ import annotations

import pytest

from ragfleet_operator import names
from ragfleet_operator.kinds import CONTROLLER_REVISION
from ragfleet_operator.model import Ref
from ragfleet_operator.render import pod, revision
from support.revision_world import OTHER_IMAGE, World, legacy_deployment, with_top_k


@pytest.fixture
def newer_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator that renders something more into each pod."""

    def newer(*values: object) -> dict[str, object]:
        template = pod.pod_template(*values)  # type: ignore[arg-type]
        return {**template, "spec": {**template["spec"], "hostUsers": False}}

    monkeypatch.setattr(revision, "pod_template", newer)


def settled(world: World | None = None) -> World:
    made = world or World()
    made.settle()
    return made


def test_the_first_revision_is_that_of_the_specification() -> None:
    made = World().plan()
    assert (made.revision.number, made.state.current, made.state.last_good) == (1, made.revision.id, "")
    assert made.state.rejected is None
    assert not made.stays


def test_what_ran_with_all_its_replicas_is_good() -> None:
    world = World()
    world.step()
    assert world.plan().state.last_good == ""
    world.becomes_ready()
    assert world.plan().state.last_good == world.running


def test_no_replicas_show_nothing_of_a_revision() -> None:
    world = World(changes=with_top_k(5, replicas=0))
    world.step()
    world.becomes_ready()
    assert world.plan().state.last_good == ""


def test_what_is_good_is_noted_although_the_spec_has_changed_since() -> None:
    world = World()
    world.step()
    first = world.becomes_ready()
    world.edit(with_top_k(6))
    made = world.step()
    assert made.state.last_good == first
    assert made.revision.id != first


def test_an_edit_of_what_pods_are_made_of_is_another_revision_with_the_next_number() -> None:
    world = settled()
    first = world.running
    world.edit(with_top_k(6))
    made = world.step()
    assert made.revision.id != first
    assert made.revision.number == 2
    assert made.pipeline.spec == world.pipeline.spec


def test_an_edit_of_other_objects_is_none() -> None:
    world = settled()
    first = world.running
    world.edit(with_top_k(5, replicas=7))
    made = world.step()
    assert made.revision.id == first
    assert made.pipeline.spec.replicas == 7
    assert len(world.kept) == 1


def test_an_edit_back_is_the_revision_of_before_as_it_is_kept() -> None:
    world = settled()
    first = world.known[world.running]
    world.edit(with_top_k(6))
    world.settle()
    world.edit(with_top_k(5))
    made = world.step()
    assert made.revision == first
    assert len(world.kept) == 2


def test_two_edits_within_a_second_end_with_the_last() -> None:
    world = settled()
    first = world.running
    world.edit(with_top_k(6))
    world.step()
    world.edit(with_top_k(7))
    made = world.step()
    assert made.state.last_good == first
    assert world.known[world.running].number == 3
    world.becomes_ready()
    assert world.plan().state.last_good == made.revision.id


@pytest.mark.usefixtures("newer_operator")
def test_the_newer_operator_of_these_tests_renders_otherwise() -> None:
    assert World().plan().revision.template["spec"]["hostUsers"] is False


@pytest.mark.parametrize(
    "changes",
    [
        with_top_k(5),
        with_top_k(5, replicas=7),
        with_top_k(5, **{"requests.deadlineSeconds": 60}),  # the default, written out
        with_top_k(5, **{"runtime": {"imagePullPolicy": "IfNotPresent"}}),  # a default too
        with_top_k(5, **{"runtime": {"serviceAccount": {"annotations": {"a.example/b": "c"}}}}),
    ],
)
def test_another_operator_restarts_nothing(
    changes: dict[str, object], request: pytest.FixtureRequest
) -> None:
    world = settled()
    world.edit(changes)
    world.settle()
    before = world.known[world.running]
    request.getfixturevalue("newer_operator")
    world.settings = OTHER_IMAGE
    made = world.step()
    assert made.revision == before
    assert made.pipeline.spec == world.pipeline.spec


def test_an_edit_under_another_operator_that_pods_are_not_made_of_restarts_nothing(
    request: pytest.FixtureRequest,
) -> None:
    world = settled()
    before = world.known[world.running]
    request.getfixturevalue("newer_operator")
    world.edit(with_top_k(5, **{"requests.deadlineSeconds": 60}))
    assert world.step().revision == before


def test_an_edit_under_another_operator_keeps_the_image_that_nobody_named(
    request: pytest.FixtureRequest,
) -> None:
    world = settled()
    image = world.known[world.running].image
    request.getfixturevalue("newer_operator")
    world.settings = OTHER_IMAGE
    world.edit(with_top_k(6))
    made = world.step()
    assert made.revision.template["spec"]["hostUsers"] is False
    assert made.revision.image == image != OTHER_IMAGE.image


def test_a_revision_whose_image_was_named_gives_none_to_the_next() -> None:
    world = settled(World(changes=with_top_k(5, **{"runtime.image": "own.example/rag:1"})))
    assert world.known[world.running].image == "own.example/rag:1"
    world.edit(with_top_k(5))
    assert world.step().revision.image == world.settings.image


def test_pods_go_with_the_operator_where_the_pipeline_says_so(request: pytest.FixtureRequest) -> None:
    world = settled(World(changes=with_top_k(5, **{"runtime": {"upgradePolicy": "WithOperator"}})))
    first = world.running
    assert world.plan().revision.id == first
    request.getfixturevalue("newer_operator")
    world.settings = OTHER_IMAGE
    made = world.step()
    assert made.revision.image == OTHER_IMAGE.image
    assert made.revision.template["spec"]["hostUsers"] is False
    world.settle()
    second = world.running
    world.edit(with_top_k(5))
    assert world.step().revision.id == second, "to pin what runs restarts nothing"


def test_an_image_that_nobody_named_stays_although_the_status_was_not_written() -> None:
    world = settled(World(changes=with_top_k(5, **{"runtime.image": "own.example/rag:1"})))
    status = world.status
    world.edit(with_top_k(5))
    second = world.step().revision
    world.status = status  # the operator was killed after the Deployment was applied
    world.settings = OTHER_IMAGE
    assert world.step().revision == second


def test_the_form_of_the_configuration_stays_while_the_image_does(monkeypatch: pytest.MonkeyPatch) -> None:
    world = settled()
    (kept,) = world.kept.values()
    kept["data"]["configVersion"] = 7
    asked = []

    def render_config(config: object, version: int) -> str:
        asked.append(version)
        return f"{config!r} in the form {version}"

    monkeypatch.setattr(revision, "render_config", render_config)
    world.edit(with_top_k(6))
    assert world.step().revision.config_version == 7
    world.edit(with_top_k(6, **{"runtime.image": "own.example/rag:1"}))
    assert world.step().revision.config_version == 1
    world.edit(with_top_k(8))
    assert world.step().revision.config_version == 7, "as another revision of that image had it"
    assert set(asked) == {1, 7}


def test_nothing_moves_where_the_image_needs_a_configuration_that_cannot_be_written() -> None:
    world = settled()
    first = world.running
    (kept,) = world.kept.values()
    kept["data"]["configVersion"] = 7
    assert world.step().refusal == "", "what is kept needs not be written again"
    world.edit(with_top_k(6, replicas=4))
    made = world.step()
    assert made.revision.id == first
    assert "configVersion 7" in made.refusal
    assert made.pipeline.spec.replicas == 4
    assert made.pipeline.spec.retrieval is not None
    assert made.pipeline.spec.retrieval.top_k == 5


def test_a_lost_status_is_learned_from_the_deployment() -> None:
    world = settled()
    first = world.running
    world.status = {}
    made = world.step()
    assert (made.revision.id, made.state.current, made.state.last_good) == (first, first, first)


def test_a_lost_status_with_a_rollout_under_way_forgets_what_was_good() -> None:
    world = settled()
    world.edit(with_top_k(6))
    second = world.step().revision.id
    world.status = {}
    world.fails()
    made = world.step()
    assert (made.revision.id, made.state.last_good, made.state.rejected) == (second, "", None)


def test_a_deployment_of_an_operator_without_revisions_gets_the_first() -> None:
    world = World(deployment=legacy_deployment())
    made = world.step()
    assert (made.revision.number, made.state.last_good, made.stays) == (1, "", False)
    assert world.running == made.revision.id
    world.fails()
    assert world.step().revision.id == made.revision.id, "there is nothing to go back to"


def test_a_revision_whose_object_was_deleted_by_hand_is_kept_again() -> None:
    world = settled()
    first = world.running
    world.kept.clear()
    assert world.step().revision.id == first
    assert list(world.kept) == [f"handbook-{first}"]


def test_an_autoscaled_deployment_is_good_with_its_fewest_replicas() -> None:
    changes = {"vectorStore": with_top_k(5)["vectorStore"], "autoscaling": {"minReplicas": 3}}
    world = World(changes=changes)
    world.step()
    assert world.deployment is not None
    counts = {"replicas": 5, "updatedReplicas": 5, "availableReplicas": 3}
    generation = world.deployment["metadata"]["generation"]
    world.deployment["spec"]["replicas"] = 5
    for available, is_good in ((3, True), (2, False)):
        status = {**counts, "availableReplicas": available, "observedGeneration": generation}
        world.deployment["status"] = status
        assert bool(world.plan().state.last_good) is is_good
    world.deployment["status"] = {**counts, "updatedReplicas": 4, "observedGeneration": generation}
    assert not world.plan().state.last_good
    world.deployment["status"] = {**counts, "observedGeneration": generation - 1}
    assert not world.plan().state.last_good


def test_the_history_has_its_limit_and_keeps_what_counts() -> None:
    world = settled(World(changes=with_top_k(1, **{"upgrade.historyLimit": 2})))
    first = world.running
    for number in range(2, 7):
        world.edit(with_top_k(number, **{"upgrade.historyLimit": 2}))
        world.settle()
    assert sorted(obj["revision"] for obj in world.kept.values()) == [4, 5, 6]
    world.status["revisions"]["lastGood"] = first
    world.deployment = None
    kept = {ref.name for ref in world.plan().keep}
    assert names.controller_revision("handbook", first) in kept


def test_what_another_operator_kept_and_this_one_cannot_read_is_not_thrown_away() -> None:
    world = settled()
    name = names.controller_revision("handbook", "0123456789")
    (kept,) = world.kept.values()
    world.kept[name] = {**kept, "metadata": {**kept["metadata"], "name": name}, "data": {"strange": True}}
    assert Ref(CONTROLLER_REVISION, name) in world.plan().keep
    assert "0123456789" not in world.known
