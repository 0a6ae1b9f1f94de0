"""Two operators and one Lease: who writes, and how soon the other does."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragfleet_operator.deploy import manifests
from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.control_plane_audit import AUDITED_NAMESPACE
from support.operator_process import OperatorProcess, operator_process

LEASE_SECONDS = 3


@dataclass(frozen=True, slots=True)
class Entry:
    """A write in the audit log. at: when the API server received it, on the clock of this machine."""

    user: str
    verb: str
    resource: str
    code: int
    at: str


class Team:
    """Two accounts, each with the permissions of the operator, that share a Lease."""

    def __init__(self, control_plane: ControlPlane, namespace: str) -> None:
        self.place = Place(control_plane, namespace)
        self._control_plane = control_plane
        self._lease = f"lease-{uuid.uuid4().hex[:6]}"
        self._start = control_plane.audit_log.stat().st_size
        self.accounts = [f"{self._lease}-a", f"{self._lease}-b"]

    def options(self) -> tuple[str, ...]:
        return (
            "--leader-election",
            f"--lease-name={self._lease}",
            f"--lease-namespace={AUDITED_NAMESPACE}",
            f"--lease-seconds={LEASE_SECONDS}",
        )

    def permit(self) -> None:
        """Bind both accounts to the roles that the manifests have, with this Lease's name."""
        made = []
        for account in self.accounts:
            metadata = {"name": account, "namespace": AUDITED_NAMESPACE}
            made.append({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata})
            made += [item for item in self._roles(account) if item["kind"].startswith("Role")]
        self._control_plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(made))

    def _roles(self, account: str) -> Iterator[dict[str, Any]]:
        subjects = [{"kind": "ServiceAccount", "name": account, "namespace": AUDITED_NAMESPACE}]
        for item in manifests("namespace", self.place.namespace, "i"):
            named: dict[str, Any] = {**item, "metadata": {**item["metadata"], "name": account}}
            of_election = "election" in item["metadata"]["name"]
            if of_election:
                named["metadata"]["namespace"] = AUDITED_NAMESPACE
            if item["kind"] == "Role" and of_election:
                text = json.dumps(named).replace('["ragfleet-operator"]', f'["{self._lease}"]')
                named = json.loads(text)
            if item["kind"] == "RoleBinding":
                named |= {"subjects": subjects, "roleRef": {**item["roleRef"], "name": account}}
            yield named

    @contextmanager
    def operator(self, number: int, *, ready: bool = True) -> Iterator[OperatorProcess]:
        kubeconfig = self._control_plane.kubeconfig_for(self.accounts[number], AUDITED_NAMESPACE)
        namespaces = [self.place.namespace]
        with operator_process(
            self._control_plane,
            *self.options(),
            namespaces=namespaces,
            kubeconfig=kubeconfig,
            ready=ready,
        ) as operator:
            yield operator

    def lease(self) -> dict[str, Any]:
        done = self._control_plane.kubectl(
            "get", f"lease/{self._lease}", "-o", "json", "--ignore-not-found", namespace=AUDITED_NAMESPACE
        )
        found: dict[str, Any] = json.loads(done.stdout)["spec"] if done.stdout.strip() else {}
        return found

    def delete_lease(self) -> None:
        self._control_plane.kubectl("delete", f"lease/{self._lease}", namespace=AUDITED_NAMESPACE)

    def entries(self) -> list[Entry]:
        """What the two have written so far, but to Leases, in the order in which it was received."""
        found = []
        with self._control_plane.audit_log.open("rb") as log:
            log.seek(self._start)
            whole = log.read().rpartition(b"\n")[0]
        for line in whole.splitlines():
            event = json.loads(line)
            user = event["user"]["username"].rpartition(":")[2]
            if user in self.accounts and event["objectRef"]["resource"] != "leases":
                entry = Entry(
                    user,
                    event["verb"],
                    event["objectRef"]["resource"],
                    event["responseStatus"]["code"],
                    event["requestReceivedTimestamp"],
                )
                found.append(entry)
        return sorted(found, key=lambda entry: entry.at)

    def writers(self) -> list[str]:
        """Who wrote, in turn."""
        turns: list[str] = []
        for entry in self.entries():
            if not turns or turns[-1] != entry.user:
                turns.append(entry.user)
        return turns


@pytest.fixture
def team(control_plane: ControlPlane, namespace: str) -> Team:
    namespace_object = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": AUDITED_NAMESPACE}}
    control_plane.kubectl("apply", "-f", "-", stdin=json.dumps(namespace_object))
    made = Team(control_plane, namespace)
    made.permit()
    return made


@contextmanager
def two(team: Team) -> Iterator[tuple[OperatorProcess, OperatorProcess]]:
    """The one that leads, and the one that stands by; both are ready, and a pipeline is."""
    with ExitStack() as stack:
        first = stack.enter_context(team.operator(0))
        first.wait_leading()
        second = stack.enter_context(team.operator(1))
        team.place.apply(pipeline())
        team.place.wait_ready()
        time.sleep(2)  # the last status
        yield first, second


def test_one_of_two_reconciles_and_the_other_is_ready(team: Team) -> None:
    with two(team) as (first, second):
        assert first.is_leading
        assert not second.is_leading
        assert second.get("/healthz").is_success
        holder = team.lease()["holderIdentity"]
        assert second.get("/readyz").text == f"ok\nstandby: the Lease is held by {holder}\n"
        assert first.get("/readyz").text == "ok\n"
        metrics = second.get("/metrics").text
        assert "reconcile_duration_seconds_count{" not in metrics
        assert "ragfleet_operator_writes_total{" not in metrics
        assert 'ragfleet_pipeline_condition{name="handbook"' in metrics
        assert "ragfleet_operator_queue_depth 0.0" in metrics
        assert team.writers() == [team.accounts[0]]
        assert second.terminate() == 0
        assert first.is_leading


def test_a_standby_takes_over_from_a_killed_leader_and_changes_nothing(team: Team) -> None:
    with two(team) as (first, second):
        before = team.place.versions()
        first.kill()
        begun = time.monotonic()
        second.wait_leading(LEASE_SECONDS + 5)
        assert time.monotonic() - begun < LEASE_SECONDS + 5
        second.wait_until(
            lambda: 'reconcile_duration_seconds_count{result="success"}' in second.get("/metrics").text,
            "a pass",
        )
        time.sleep(2)
        assert team.place.versions() == before
        team.place.kubectl("delete", "service/handbook")
        team.place.wait_until(lambda: team.place.get("service/handbook"), "the service to come back")
        assert team.lease()["leaseTransitions"] == 2


def test_a_leader_that_ends_in_order_gives_the_lease_back(team: Team) -> None:
    with two(team) as (first, second):
        assert first.terminate() == 0
        begun = time.monotonic()
        assert "the Lease was given back" in first.log
        second.wait_leading(LEASE_SECONDS)
        # Sooner than the Lease would be over: at its next look.
        assert time.monotonic() - begun < LEASE_SECONDS / 2
        team.place.apply(pipeline(replicas=3))
        team.place.wait_until(
            lambda: (team.place.get("deployment/handbook") or {})["spec"]["replicas"] == 3, "the edit"
        )
        assert team.writers() == team.accounts


def test_a_leader_that_was_paused_writes_nothing_when_it_goes_on(team: Team) -> None:
    with two(team) as (first, second):
        team.place.apply(*(pipeline(f"p{number}") for number in range(12)))
        first.wait_until(lambda: len(team.entries()) > 30, "it to be in the middle of its work")
        first.pause()
        try:
            second.wait_leading(LEASE_SECONDS + 5)
            # For both: what the paused one hears first when it goes on.
            team.place.apply(pipeline(replicas=4), pipeline("another"))
            team.place.kubectl("delete", "service/handbook")
            team.place.wait_until(lambda: team.place.get("service/handbook"), "the service to come back")
            team.place.wait_ready("another")
        finally:
            first.resume()
        assert first.process.wait(5) == 1
        assert "the operator leads no more and ends" in first.log
        assert first.tracebacks == []
        time.sleep(1)
        a, b = team.accounts
        written = [entry.user for entry in team.entries()]
        # The one that it was giving to the kernel when it was paused can't be taken back.
        assert written[written.index(b) :].count(a) <= 1
        assert second.is_leading


def test_a_deleted_lease_is_made_again_and_never_do_two_write(team: Team) -> None:
    with two(team) as (first, second):
        for number in range(6):
            team.delete_lease()
            team.place.apply(pipeline(replicas=2 + number % 2))
            team.place.kubectl("delete", "service/handbook", check=False)
            time.sleep(0.3 + number / 10)
        first.wait_until(lambda: bool(team.lease().get("holderIdentity")), "the Lease to be held again")
        team.place.wait_until(lambda: team.place.get("service/handbook"), "the service to come back")
        assert team.writers() == [team.accounts[0]]
        assert first.is_leading
        assert not second.is_leading


def test_a_leader_that_cant_renew_ends_by_itself_and_the_other_leads_when_it_can(
    control_plane: ControlPlane, team: Team
) -> None:
    with two(team) as (first, second):
        control_plane.pause_api_server()
        try:
            assert first.process.wait(10) == 1
            assert "wasn't renewed within 2 s" in first.log
        finally:
            control_plane.resume_api_server()
        second.wait_leading(LEASE_SECONDS + 5)
        assert first.tracebacks + second.tracebacks == []


def test_without_the_permission_the_log_says_so_and_nothing_is_written(
    control_plane: ControlPlane, team: Team
) -> None:
    for account in team.accounts:
        for kind in ("role", "rolebinding"):
            control_plane.kubectl("delete", f"{kind}/{account}", namespace=AUDITED_NAMESPACE)
    with team.operator(0) as operator:
        team.place.apply(pipeline())
        operator.wait_until(lambda: "the Lease can't be read or written" in operator.log, "it to be said")
        assert "leases.coordination.k8s.io" in operator.log
        time.sleep(LEASE_SECONDS)
        assert operator.log.count("the Lease can't be read or written") == 1
        assert team.writers() == []
        team.permit()
        operator.wait_leading(LEASE_SECONDS + 5)
        team.place.wait_ready()


def test_outside_a_pod_the_namespace_of_the_lease_has_to_be_named(control_plane: ControlPlane) -> None:
    with operator_process(control_plane, "--leader-election", ready=False) as operator:
        assert operator.process.wait(30) == 2
        assert operator.log.startswith("ragfleet: outside a pod, leader election needs a namespace")
        assert len(operator.log.splitlines()) == 1


def test_outside_a_pod_there_is_no_election_unless_asked_for(
    control_plane: ControlPlane, namespace: str
) -> None:
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        assert operator.is_leading
        assert '"leader_election": "off"' in operator.log.replace('":"', '": "')


def test_the_manifests_run_two_on_their_own_lease() -> None:
    made = {item["kind"]: item for item in yaml.safe_load_all(_deploy("cluster"))}
    assert made["Deployment"]["spec"]["replicas"] == 2
    assert made["PodDisruptionBudget"]["spec"]["maxUnavailable"] == 1
    assert made["Role"]["metadata"]["namespace"] == "ragfleet-system"


def _deploy(scope: str) -> str:
    return (Path(__file__).parents[2] / "deploy" / f"{scope}.yaml").read_text()
