"""One pass over a pipeline, on a cluster in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from ragfleet_operator.engine.errors import Forbidden, Held, NotLeadingError, TooManyRequests, Unavailable
from ragfleet_operator.engine.references import References
from ragfleet_operator.kinds import (
    CHILDREN,
    CONFIG_MAP,
    DEPLOYMENT,
    NETWORK_POLICY,
    PIPELINE,
    SECRET,
    SERVICE,
)
from ragfleet_operator.names import REVISION_LABEL, SECRETS_ANNOTATION
from ragfleet_operator.render import Inputs
from ragfleet_operator.status.conditions import conditions_of
from support.engine_world import KEY, World

pytestmark = pytest.mark.anyio


@pytest.fixture
async def world() -> AsyncIterator[World]:
    made = World()
    yield made
    await made.end()


async def test_a_pass_makes_the_children_and_says_that_it_is_at_work(world: World) -> None:
    world.edit()
    again = await world.look()
    assert again is not None
    assert again <= 3
    assert world.names(DEPLOYMENT) == ["handbook"]
    assert world.names(SECRET) == ["handbook-admin", "handbook-api-keys"]
    assert world.condition("Ready")[0] == "False"
    assert world.condition("Reconciling")[0] == "True"
    writes = world.cluster.writes
    await world.look()
    assert world.cluster.writes == writes


async def test_a_restart_changes_nothing(world: World) -> None:
    world.edit()
    await world.look()
    world.roll_out()
    await world.look()
    await asyncio.sleep(0)
    before = {place: obj["metadata"]["resourceVersion"] for place, obj in world.cluster.objects.items()}
    world.restarted()
    await world.look()
    children = [place for place in before if place[0] != PIPELINE]
    assert {place: world.cluster.objects[place]["metadata"]["resourceVersion"] for place in children} == {
        place: before[place] for place in children
    }


async def test_nobody_elses_object_is_touched_even_if_it_appears_during_the_pass(world: World) -> None:
    world.edit()
    theirs = world.cluster.put(
        SERVICE, {"metadata": {"namespace": "default", "name": "handbook"}, "spec": {"x": 1}}
    )
    await world.look()
    assert world.cluster.objects[SERVICE, *KEY] == theirs
    assert world.condition("Ready") == ("False", "OwnedByAnother")
    assert world.names(DEPLOYMENT) == ["handbook"]


async def test_a_missing_permission_for_one_kind_does_not_hold_up_the_rest(world: World) -> None:
    world.edit()
    world.cluster.faults["apply", NETWORK_POLICY] = Forbidden("networkpolicies is forbidden")
    await world.look()
    assert world.names(DEPLOYMENT) == ["handbook"]
    assert world.condition("ChildrenApplied") == ("False", "Forbidden")
    first, second = [await world.look() for _ in range(2)]
    assert first is not None
    assert second is not None
    assert first < second or second == 3


async def test_pods_are_not_rolled_to_a_configuration_that_could_not_be_made(world: World) -> None:
    world.edit()
    await world.look()
    world.cluster.faults["apply", CONFIG_MAP] = Forbidden("configmaps is forbidden")
    before = world.cluster.objects[DEPLOYMENT, *KEY]["spec"]
    world.edit(retrieval={"topK": 3})
    await world.look()
    assert world.cluster.objects[DEPLOYMENT, *KEY]["spec"] == before


async def test_an_edit_by_hand_is_taken_back_from_whoever_made_it(world: World) -> None:
    world.edit()
    await world.look()
    service = world.cluster.objects[SERVICE, *KEY]
    service["spec"]["selector"] = {"app": "other"}
    world.cluster.put(SERVICE, service)
    world.cluster.held[SERVICE, *KEY] = [Held("kubectl-edit", ".spec.selector")]
    await world.look()
    assert (
        world.cluster.objects[SERVICE, *KEY]["spec"]["selector"]["app.kubernetes.io/instance"] == "handbook"
    )


async def test_an_api_server_that_is_away_fails_the_pass(world: World) -> None:
    world.edit()
    await world.engine.fill(None)
    world.cluster.faults["apply", DEPLOYMENT] = Unavailable("no answer")
    with pytest.raises(Unavailable):
        await world.engine.reconciler.reconcile(KEY)
    world.cluster.faults["apply", DEPLOYMENT] = TooManyRequests("slow down", 7.0)
    assert await world.engine.reconciler.reconcile(KEY) == 7.0


async def test_who_does_not_lead_writes_nothing(world: World) -> None:
    world.edit()
    await world.engine.fill(None)
    world.leads = False
    with pytest.raises(NotLeadingError):
        await world.engine.reconciler.reconcile(KEY)
    assert world.cluster.writes == 0


async def test_a_stored_object_that_is_not_valid_is_told_so_and_left_alone(world: World) -> None:
    world.edit()
    await world.look()
    writes = world.cluster.writes
    obj = world.cluster.objects[PIPELINE, *KEY]
    obj["spec"]["retrieval"] = {"mode": "Dense"}
    world.cluster.put(PIPELINE, obj)
    await world.look()
    assert world.condition("Ready") == ("False", "InvalidSpec")
    assert world.cluster.writes == writes + 1
    assert world.names(DEPLOYMENT) == ["handbook"]


async def test_a_change_that_the_index_does_not_fit_is_held_back(world: World) -> None:
    world.edit()
    await world.look()
    world.roll_out()
    before = world.cluster.objects[DEPLOYMENT, *KEY]["spec"]
    configs = world.names(CONFIG_MAP)
    world.edit(retrieval={"bm25": {"language": "German"}})
    await world.look()
    assert world.cluster.objects[DEPLOYMENT, *KEY]["spec"] == before
    assert world.names(CONFIG_MAP) == configs
    assert world.condition("IndexReady") == ("False", "ReindexRequired")


async def test_a_change_before_anything_ever_ran_is_not_held_back(world: World) -> None:
    world.edit()
    await world.look()
    before = world.cluster.objects[DEPLOYMENT, *KEY]["spec"]
    world.edit(retrieval={"bm25": {"language": "German"}})
    await world.look()
    assert world.cluster.objects[DEPLOYMENT, *KEY]["spec"] != before


async def test_nothing_is_remembered_of_a_pipeline_that_is_gone(world: World) -> None:
    world.edit()
    await world.look()
    world.cluster.remove(PIPELINE, *KEY)
    for kind in CHILDREN:
        for name in world.names(kind):
            world.cluster.remove(kind, "default", name)
    assert await world.look() is None
    parts = vars(world.engine.reconciler)
    for memory in (*parts.values(), *vars(parts["_keeper"]).values()):
        for name, value in vars(memory).items() if hasattr(memory, "__dict__") else ():
            assert not (isinstance(value, dict) and KEY in value), name
    assert len(world.engine.cache) == 0


async def test_the_first_pods_wait_for_the_key_of_what_they_read_once_and_nobody_races_for_it(
    world: World,
) -> None:
    world.cluster.put(
        SECRET, {"metadata": {"namespace": "default", "name": "db"}, "data": {"password": "eA=="}}
    )
    variable = {"name": "P", "secretKeyRef": {"name": "db", "key": "password"}}
    foreign = {"metadata": {"namespace": "default", "name": "handbook-admin"}, "data": {"token": "eA=="}}
    world.cluster.put(SECRET, foreign)
    world.edit(runtime={"env": [variable]})
    pauses = [await world.look() for _ in range(3)]
    assert all(
        pause is not None and pause >= 1 for pause in pauses
    )  # it isn't ours: a fault, told and waited for
    world.cluster.remove(SECRET, "default", "handbook-admin")
    assert await world.look() == pytest.approx(0.1)
    assert (DEPLOYMENT, *KEY) not in world.cluster.objects
    await world.look()
    template = world.cluster.objects[DEPLOYMENT, *KEY]["spec"]["template"]
    assert template["metadata"]["annotations"][SECRETS_ANNOTATION]


async def test_a_verdict_is_told_before_it_is_carried_out(world: World) -> None:
    world.edit()
    await world.look()
    world.roll_out()
    await world.look()
    good = running_revision(world)
    world.edit(runtime={"image": "registry.example/ragfleet:crash"})
    await world.look()
    bad = running_revision(world)
    world.is_overdue(bad)
    assert await world.look() == pytest.approx(0.1)
    assert running_revision(world) == bad
    told = world.cluster.objects[PIPELINE, *KEY]["status"]
    assert told["revisions"]["rejected"]["revision"] == bad
    assert conditions_of(told)["Ready"]["reason"] == "RolledBack"
    world.restarted()
    await world.look()
    assert running_revision(world) == good


async def test_a_secret_that_goes_during_a_pass_is_made_with_new_values_and_never_without_any(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.edit()
    await world.look()
    await world.engine.fill(None)
    resolve = References.resolve

    async def gone_meanwhile(self: References, *arguments: Any) -> Any:
        world.engine.cache.see(
            SECRET, "DELETED", world.cluster.remove(SECRET, "default", "handbook-api-keys")
        )
        return await resolve(self, *arguments)

    for forget in (False, True):  # as it is remembered, and as it is rendered
        if forget:
            world.engine.reconciler.forget(KEY)
        with monkeypatch.context() as patch:
            patch.setattr(References, "resolve", gone_meanwhile)
            again = await world.engine.reconciler.reconcile(KEY)
        assert again is not None
        assert again <= 3
        assert world.names(SECRET) == ["handbook-admin"]
        await world.look()
        assert world.cluster.objects[SECRET, "default", "handbook-api-keys"]["data"]


async def test_a_pass_in_which_only_a_status_is_new_renders_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.edit()
    await world.look()

    def rendered_again(*_: Any) -> Any:
        raise AssertionError("it was rendered again")

    monkeypatch.setattr(Inputs, "children", rendered_again)
    world.roll_out()
    writes = world.cluster.writes
    await world.look()
    world.cluster.remove(SERVICE, *KEY)
    await world.look()
    assert (SERVICE, *KEY) in world.cluster.objects
    assert world.cluster.writes - writes <= 2  # the Service, and a status
    world.edit(replicas=2)
    with pytest.raises(AssertionError, match="rendered again"):
        await world.look()


def running_revision(world: World) -> str:
    labels = world.cluster.objects[DEPLOYMENT, *KEY]["spec"]["template"]["metadata"]["labels"]
    found: str = labels[REVISION_LABEL]
    return found
