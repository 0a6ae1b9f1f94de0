"""What is deleted, and that nothing else ever is."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ragfleet_operator.engine.prune import leftovers
from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, DEPLOYMENT, PDB, PVC, SECRET, SERVICE
from ragfleet_operator.model import Ref, is_owned

UID = "u1"


def owned(*uids: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"ownerReferences": [{"uid": uid} for uid in uids], **more}}


def deployment(config: str, *, done: bool = True) -> dict[str, Any]:
    counts = dict.fromkeys(("replicas", "updatedReplicas", "availableReplicas"), 2 if done else 1)
    return {
        **owned(UID, generation=3),
        "spec": {"replicas": 2, "template": {"spec": {"volumes": [{"configMap": {"name": config}}]}}},
        "status": {"observedGeneration": 3, **counts},
    }


def test_a_child_that_is_not_wanted_goes() -> None:
    live = {Ref(PDB, "a"): owned(UID), Ref(SERVICE, "a"): owned(UID)}
    assert leftovers(live, {Ref(SERVICE, "a")}, UID) == [Ref(PDB, "a")]


def test_a_configuration_stays_until_no_pod_can_need_it() -> None:
    old, new, workload = Ref(CONFIG_MAP, "old"), Ref(CONFIG_MAP, "new"), Ref(DEPLOYMENT, "a")
    wanted = {new, workload}
    configs = {old: owned(UID), new: owned(UID)}
    assert leftovers({**configs, workload: deployment("new", done=False)}, wanted, UID) == []
    assert leftovers({**configs, workload: deployment("old")}, wanted, UID) == []
    assert leftovers(configs, wanted, UID) == []
    assert leftovers({**configs, workload: deployment("new")}, wanted, UID) == [old]


def test_while_the_workload_stays_what_it_needs_stays() -> None:
    live = {
        Ref(CONFIG_MAP, "old"): owned(UID),
        Ref(SECRET, "old"): owned(UID),
        Ref(DEPLOYMENT, "a"): deployment("new"),
        Ref(PDB, "a"): owned(UID),
    }
    assert leftovers(live, set(), UID, workload_stays=True) == [Ref(PDB, "a")]


def test_data_is_never_deleted_and_what_goes_already_is_let_go() -> None:
    live = {
        Ref(PVC, "a-data"): owned(UID),
        Ref(PDB, "a"): owned(UID, deletionTimestamp="2026-01-01T00:00:00Z"),
    }
    assert leftovers(live, set(), UID) == []


OBJECTS = st.builds(
    lambda uids, kind, name: (Ref(kind, name), deployment("x") if kind == DEPLOYMENT else owned(*uids)),
    st.lists(st.sampled_from([UID, "u2"]), max_size=2),
    st.sampled_from(CHILDREN),
    st.sampled_from("abc"),
)


@given(
    live=st.lists(OBJECTS), wanted=st.lists(OBJECTS), uid=st.sampled_from([UID, "u3"]), stays=st.booleans()
)
def test_nothing_is_deleted_that_is_wanted_or_not_owned(
    live: list[Any], wanted: list[Any], uid: str, stays: bool
) -> None:
    there, needed = dict(live), {ref for ref, _ in wanted}
    for ref in leftovers(there, needed, uid, workload_stays=stays):
        assert ref not in needed
        assert is_owned(there[ref], uid)
        assert ref.kind != PVC
