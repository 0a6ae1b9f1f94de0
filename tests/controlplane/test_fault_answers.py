"""Whatever the API server answers for a while, pipelines become what their specs say."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import pytest

from ragfleet_operator.kinds import DEPLOYMENT, NETWORK_POLICY, SECRET, SERVICE
from ragfleet_operator.model import Settings
from support.cluster_pipelines import pipeline
from support.control_plane import ControlPlane
from support.fault_proxy import FaultProxy, fault_proxy
from support.fault_proxy_calls import READS, WRITES, calls
from support.fault_proxy_people import People, people
from support.fault_proxy_rules import Answer, Cut, Delay, Fault, Stall
from support.fault_proxy_verdict import divergences, is_told_ready, rendered
from support.operator_process import IMAGE, OperatorProcess, operator_process

FAULTS: Final[Mapping[str, Fault]] = {
    "conflict": Answer(409, "the object has been modified; please apply your changes to the latest version"),
    "gone": Answer(410, "too old"),
    "invalid": Answer(422, "admission webhook denied the request"),
    "throttled": Answer(429, "too many requests", retry_after=1),
    "internal": Answer(500, "etcdserver: leader changed"),
    "unavailable": Answer(503, "apiserver is shutting down"),
    "lost-request": Cut(),
    "lost-answer": Cut(forwarded=True),
    "slow": Delay(0.7),
    "hanging": Stall(),
}
# Each write meets the fault, or many of both writes and reads.
SHARES: Final = {"every": (WRITES, 1.0), "many": (WRITES | READS, 0.4)}
HALF_SECONDS: Final = 3.0
CONVERGED_SECONDS: Final = 60.0
# A pipeline with an edit and its harm restored takes about 25; and a pass each second may be tried in vain.
WORK: Final = 60
A_SECOND: Final = 10


@pytest.fixture(scope="module")
def proxy(control_plane: ControlPlane) -> Iterator[FaultProxy]:
    with fault_proxy(control_plane, seed=7) as running:
        yield running


@pytest.fixture(scope="module")
def operator(
    control_plane: ControlPlane, proxy: FaultProxy, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OperatorProcess]:
    config = proxy.kubeconfig(Path(tmp_path_factory.mktemp("faults"), "config"), control_plane.token)
    with operator_process(control_plane, kubeconfig=config) as running:
        yield running


def test_pipelines_made_edited_and_harmed_under_faults_converge_without_a_storm(
    control_plane: ControlPlane, proxy: FaultProxy, operator: OperatorProcess
) -> None:
    cases = [f"{fault}-{share}" for fault in FAULTS for share in SHARES]
    with people(control_plane) as they, they.namespaces(cases) as found:
        places = dict(zip(cases, found, strict=True))
        begun = time.monotonic()
        met = _live_through_faults(they, proxy, places)
        over = time.monotonic()
        assert [case for case, count in met.items() if not count] == []
        assert _wrong_at_last(they, places) == {}
        assert operator.tracebacks == []
        tried = Counter(
            done.call.namespace
            for done in proxy.writes()
            if done.call.resource != "events" and begun < done.at < over
        )
        most = WORK + A_SECOND * (over - begun)
        assert {case: tried[place] for case, place in places.items() if tried[place] > most} == {}


def _live_through_faults(they: People, proxy: FaultProxy, places: Mapping[str, str]) -> dict[str, int]:
    """Make, edit and harm a pipeline in each place under its fault; how many requests met it."""
    rules = {}
    for case, place in places.items():
        fault, _, share = case.rpartition("-")
        verbs, probability = SHARES[share]
        where = calls(verbs=verbs, namespaces={place})
        rules[case] = proxy.add(FAULTS[fault], where, probability=probability)
    try:
        for place in places.values():
            they.apply(place, pipeline())
        time.sleep(HALF_SECONDS)
        for place in places.values():
            they.apply(place, pipeline(retrieval={"mode": "Sparse", "topK": 9}))
            they.delete(SERVICE, place, "handbook")
            they.delete(NETWORK_POLICY, place, "handbook")
            they.delete(SECRET, place, "handbook-admin")
            they.delete(DEPLOYMENT, place, "handbook")
        time.sleep(HALF_SECONDS)
    finally:
        for rule in rules.values():
            proxy.rules.remove(rule)
    return {case: rule.met for case, rule in rules.items()}


def _wrong_at_last(they: People, places: Mapping[str, str]) -> dict[str, object]:
    """What is wrong in each case, once nothing is or the time is over."""
    deadline = time.monotonic() + CONVERGED_SECONDS
    while True:
        told = {case: found for case, place in places.items() if (found := _wrong(they, place))}
        if not told or time.monotonic() > deadline:
            return told
        time.sleep(1)


def _wrong(they: People, place: str) -> object:
    unready = [item["metadata"]["name"] for item in they.pipelines(place) if not is_told_ready(item)]
    return unready or divergences(they.client, place, rendered(Settings(IMAGE)))
