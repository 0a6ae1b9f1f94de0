"""Who takes fields back is noticed, named, and after a while not fought."""

from __future__ import annotations

from ragfleet_operator.engine.conflicts import ConflictMemory
from ragfleet_operator.engine.errors import Held
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.model import Fault, Key, Ref
from ragfleet_operator.names import HANDOVER_MANAGER

KEY, REF = Key("default", "a"), Ref(DEPLOYMENT, "a")
EDIT = Held("kubectl-edit", ".spec.replicas")
SCALER = Held("keda", ".spec.replicas")


def test_an_edit_or_two_by_hand_are_no_quarrel() -> None:
    memory = ConflictMemory()
    memory.note(KEY, REF, [EDIT], 0)
    memory.note(KEY, REF, [EDIT, SCALER], 10)
    assert memory.fault(KEY, REF, 11) is None
    assert not memory.pauses(KEY, REF, 11)


def test_who_edited_is_asked_from_the_second_time_within_ten_minutes_on() -> None:
    memory = ConflictMemory()
    assert memory.restoring(KEY, REF, 0)
    assert memory.fault(KEY, REF, 1) is None
    assert not memory.restoring(KEY, REF, 599)
    assert not memory.restoring(KEY, REF, 1198)
    assert memory.restoring(KEY, Ref(DEPLOYMENT, "b"), 1198)
    assert memory.fault(KEY, REF, 1798) is None
    assert memory.restoring(KEY, REF, 1799)


def test_the_third_time_in_ten_minutes_is_said_with_both_names() -> None:
    memory = ConflictMemory()
    for now in (0, 10, 20):
        memory.note(KEY, REF, [SCALER], now)
    fault = memory.fault(KEY, REF, 21)
    assert fault is not None
    assert fault.fault is Fault.CONFLICT
    assert '"keda" and "ragfleet" both set spec.replicas' in fault.message


def test_restoring_pauses_longer_and_longer() -> None:
    memory = ConflictMemory()
    for now in (0, 1, 2):
        memory.note(KEY, REF, [SCALER], now)
    assert memory.pauses(KEY, REF, 61)
    assert not memory.pauses(KEY, REF, 62)
    memory.note(KEY, REF, [SCALER], 62)
    assert memory.pauses(KEY, REF, 181)
    assert not memory.pauses(KEY, REF, 182)


def test_it_is_forgotten_once_it_has_stopped() -> None:
    memory = ConflictMemory()
    for now in (0, 1, 2):
        memory.note(KEY, REF, [SCALER], now)
    assert memory.fault(KEY, REF, 602) is None
    assert not memory.pauses(KEY, REF, 602)


def test_the_manager_of_the_hand_over_is_ourselves() -> None:
    memory = ConflictMemory()
    for now in range(5):
        memory.note(KEY, REF, [Held(HANDOVER_MANAGER, ".spec.replicas")], now)
    assert memory.fault(KEY, REF, 6) is None


def test_nothing_is_kept_of_a_pipeline_that_is_gone() -> None:
    memory = ConflictMemory()
    for now in (0, 1, 2):
        memory.note(KEY, REF, [SCALER], now)
    memory.forget(KEY)
    assert memory.fault(KEY, REF, 3) is None
