"""Edits that go wrong are rolled back, those of people are followed, and a newer operator changes nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from support.control_plane import ControlPlane
from support.engine_run import IMAGE, Bench, eventually, pipeline, running_engine

pytestmark = pytest.mark.anyio

REVISION = "ragfleet.dev/revision"
PIN = "ragfleet.dev/pin-revision"
DEADLINE = 30
BROKEN = ("crash", "unready", "pull-failure")
REPOSITORY = IMAGE.rpartition(":")[0]


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    return Bench(control_plane, namespace)


def upgradable(name: str = "handbook", **spec: Any) -> dict[str, Any]:
    return pipeline(name, replicas=2, upgrade={"deadlineSeconds": DEADLINE}, **spec)


async def pods(bench: Bench, name: str = "handbook") -> dict[str, str]:
    """Revision of each pod that isn't ending, by its uid."""
    return {
        pod["metadata"]["uid"]: pod["metadata"]["labels"].get(REVISION, "")
        for pod in await bench.items("pods")
        if pod["metadata"]["labels"]["app.kubernetes.io/instance"] == name
        and "deletionTimestamp" not in pod["metadata"]
    }


async def revisions(bench: Bench, name: str = "handbook") -> dict[str, Any]:
    found: dict[str, Any] = (await bench.get("ragpipeline", name))["status"].get("revisions", {})
    return found


async def container(bench: Bench, name: str = "handbook") -> dict[str, Any]:
    deployment = await bench.get("deployment", name)
    found: dict[str, Any] = deployment["spec"]["template"]["spec"]["containers"][0]
    return found


async def test_what_breaks_is_rolled_back_and_what_cannot_run_yet_is_held(bench: Bench) -> None:
    names = (*BROKEN, "unschedulable")
    edits: dict[str, dict[str, Any]] = {tag: {"image": f"{REPOSITORY}:{tag}"} for tag in BROKEN}
    edits["unschedulable"] = {"nodeSelector": {"there": "isnt"}}
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(*(upgradable(name) for name in names))
        for name in names:
            await bench.reason(name, "Ready")
        before = {name: await pods(bench, name) for name in names}
        good = {name: (await revisions(bench, name))["current"] for name in names}
        await bench.apply(*(upgradable(name, runtime=edits[name], retrieval={"topK": 3}) for name in names))
        for name in BROKEN:
            message = await bench.reason(name, "RolledBack", seconds=DEADLINE + 15)
            assert "generation 2" in message
            assert f"revision {good[name]} serves" in message
            assert (await bench.condition(name, "Stalled"))["status"] == "True"
            assert (await bench.condition(name, "RuntimeAvailable"))["status"] == "True"
            told = await revisions(bench, name)
            assert told["current"] == told["lastGood"] == good[name]
            assert told["rejected"]["generation"] == 2
        assert (await revisions(bench, "crash"))["rejected"]["reason"] == "CrashLoopBackOff"
        assert (await revisions(bench, "pull-failure"))["rejected"]["reason"] == "ImagePullBackOff"

        async def only_the_old_pods_are_left() -> bool:
            return all([await pods(bench, name) == before[name] for name in BROKEN])

        await eventually(only_the_old_pods_are_left, "the broken pods to go")
        assert await bench.reason("unschedulable", "DeadlineExceeded", seconds=10)
        held = await revisions(bench, "unschedulable")
        assert "rejected" not in held
        assert held["lastGood"] == good["unschedulable"] != held["current"]
        assert before["unschedulable"].keys() <= (await pods(bench, "unschedulable")).keys()
    settled = {name: (await bench.get("deployment", name))["metadata"]["generation"] for name in BROKEN}
    async with running_engine(bench.control_plane, bench.namespace):
        # The verdicts hold for another operator; what is edited beside the pods is followed.
        await bench.apply(
            *(upgradable(name, runtime=edits[name], retrieval={"topK": 3}, suspend=False) for name in BROKEN)
        )
        await asyncio.sleep(3)
        for name in BROKEN:
            assert (await bench.condition(name, "Ready"))["reason"] == "RolledBack"
            assert (await bench.get("deployment", name))["metadata"]["generation"] == settled[name]
        await bench.apply(*(upgradable(name, retrieval={"topK": 3}) for name in names))
        for name in names:
            await bench.reason(name, "Ready", seconds=40)
            told = await revisions(bench, name)
            assert told["current"] == told["lastGood"] != good[name]
            assert "rejected" not in told


async def test_a_pin_is_followed_until_the_next_edit(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(upgradable())
        await bench.reason("handbook", "Ready")
        first = (await revisions(bench))["current"]
        await bench.apply(upgradable(retrieval={"topK": 3}))

        async def runs_another() -> bool:
            told = await revisions(bench)
            return bool(told["current"] == told["lastGood"] != first)

        await eventually(runs_another, "the edit")
        second = (await revisions(bench))["current"]
        await bench.kubectl("annotate", "ragpipeline", "handbook", f"{PIN}={first}@2")
        await bench.reason("handbook", "Pinned")
        assert set((await pods(bench)).values()) == {first}
        await bench.apply(upgradable(retrieval={"topK": 4}))
        await bench.reason("handbook", "Ready")
        third = (await revisions(bench))["current"]
        assert third not in {first, second}
        # An edit back gives what ran then, not something made anew.
        await bench.apply(upgradable())
        await eventually(lambda: _runs(bench, first), "the first revision")
        kept = await bench.items("controllerrevisions")
        assert {item["metadata"]["labels"][REVISION] for item in kept} == {first, second, third}


async def _runs(bench: Bench, revision: str) -> bool:
    told = await revisions(bench)
    return bool(told["current"] == told["lastGood"] == revision)


async def test_a_pin_to_a_revision_that_is_gone_changes_nothing_and_is_told(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(upgradable())
        await bench.reason("handbook", "Ready")
        before = await bench.get("deployment", "handbook")
        await bench.kubectl("annotate", "ragpipeline", "handbook", f"{PIN}=0123456789")
        assert "0123456789" in await bench.reason("handbook", "RevisionNotFound")
        await bench.kubectl("annotate", "ragpipeline", "handbook", f"{PIN}-")
        await bench.reason("handbook", "Ready")
        assert (await bench.get("deployment", "handbook"))["metadata"]["generation"] == before["metadata"][
            "generation"
        ]


async def test_a_newer_operator_changes_nothing_but_where_it_is_asked_to(bench: Bench) -> None:
    following = pipeline("following", runtime={"upgradePolicy": "WithOperator"})
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(upgradable(), following)
        for name in ("handbook", "following"):
            await bench.reason(name, "Ready")
        before, other = await pods(bench), await pods(bench, "following")
    async with running_engine(bench.control_plane, bench.namespace, image=f"{REPOSITORY}:next"):

        async def follows() -> bool:
            found = await pods(bench, "following")
            return bool(found) and not other.keys() & found.keys()

        await eventually(follows, "the new image")
        assert (await container(bench, "following"))["image"] == f"{REPOSITORY}:next"
        assert await pods(bench) == before
        # An edit keeps the image: nothing comes unasked.
        await bench.apply(upgradable(retrieval={"topK": 3}))
        await eventually(lambda: _is_current(bench), "the edit")
        assert (await container(bench))["image"] == IMAGE
    assert (await pods(bench)).keys().isdisjoint(before)


async def test_two_edits_within_a_second_end_at_the_second(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(upgradable())
        await bench.reason("handbook", "Ready")
        await bench.apply(upgradable(runtime={"image": f"{REPOSITORY}:crash"}))
        await bench.apply(upgradable(runtime={"image": f"{REPOSITORY}:2"}))

        async def runs_the_second() -> bool:
            ready = await bench.condition("handbook", "Ready")
            is_new = ready["observedGeneration"] == 3 and ready["status"] == "True"
            return bool(is_new and (await container(bench))["image"] == f"{REPOSITORY}:2")

        await eventually(runs_the_second, "the second edit")
        assert "rejected" not in await revisions(bench)


async def test_a_status_that_was_lost_rolls_nothing(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(upgradable())
        await bench.reason("handbook", "Ready")
        before, told = await pods(bench), await revisions(bench)
    empty = '{"status": null}'
    await bench.kubectl(
        "patch", "ragpipeline", "handbook", "--subresource=status", "--type=merge", "-p", empty
    )
    async with running_engine(bench.control_plane, bench.namespace, image=f"{REPOSITORY}:next"):
        await bench.reason("handbook", "Ready")
        assert await revisions(bench) == told
        assert await pods(bench) == before


async def test_old_revisions_go_and_the_good_one_stays(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        for top_k in range(1, 7):
            limits = {"deadlineSeconds": DEADLINE, "historyLimit": 3}
            await bench.apply(pipeline(upgrade=limits, retrieval={"topK": top_k}))
            await eventually(lambda: _is_current(bench), "the edit")
        kept = {item["revision"] for item in await bench.items("controllerrevisions")}
        assert kept == {3, 4, 5, 6}  # what runs, and three before it


async def _is_current(bench: Bench) -> bool:
    found = await bench.get("ragpipeline", "handbook")
    if found.get("status", {}).get("observedGeneration") != found["metadata"]["generation"]:
        return False
    told = found["status"].get("revisions", {})
    deployment = await bench.get("deployment", "handbook")
    label = deployment["spec"]["template"]["metadata"]["labels"][REVISION]
    return bool(told.get("current") == told.get("lastGood") == label)
