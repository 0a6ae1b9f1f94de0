"""``ragfleet rollback`` on a real API server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ragfleet_cli.main import main
from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import operator_process

Captured = pytest.CaptureFixture[str]

PIN = "ragfleet.dev/pin-revision"
GOOD, BAD = "aaaaaaaaa1", "bbbbbbbbb2"
RULES: list[dict[str, Any]] = [
    {"apiGroups": ["ragfleet.dev"], "resources": ["ragpipelines"], "verbs": ["get", "patch"]},
    {"apiGroups": ["apps"], "resources": ["controllerrevisions"], "verbs": ["list"]},
]


class Person:
    """Somebody at a command line, with a kubeconfig of the namespace."""

    def __init__(self, place: Place, kubeconfig: Path, capsys: Captured) -> None:
        self.place = place
        self.kubeconfig = kubeconfig
        self._capsys = capsys

    def rollback(self, *arguments: str) -> tuple[int, str, str]:
        """The exit code and both outputs."""
        self._capsys.readouterr()
        code = main(["rollback", "handbook", "--kubeconfig", str(self.kubeconfig), *arguments])
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err

    def refused(self, *arguments: str) -> str:
        """The one line that is said of what can't be done."""
        code, out, err = self.rollback(*arguments)
        assert (code, out) == (2, "")
        (line,) = err.splitlines()
        return line

    @property
    def metadata(self) -> dict[str, Any]:
        """The pipeline's."""
        found: dict[str, Any] = (self.place.get("ragp/handbook") or {})["metadata"]
        return found

    @property
    def pin(self) -> str | None:
        """The annotation."""
        annotations: dict[str, str] = self.metadata.get("annotations") or {}
        return annotations.get(PIN)


@pytest.fixture
def place(control_plane: ControlPlane, namespace: str) -> Place:
    """A namespace with a pipeline, two revisions of it, and a status, as the operator leaves them."""
    place = Place(control_plane, namespace)
    place.apply(pipeline())
    uid = place.uid("ragp/handbook")
    place.apply(revision(uid, GOOD, 1), revision(uid, BAD, 2))
    status = {"observedGeneration": 1, "revisions": {"current": BAD, "lastGood": GOOD}}
    patch = json.dumps({"status": status})
    place.kubectl("patch", "ragp/handbook", "--subresource=status", "--type=merge", "-p", patch)
    return place


def revision(uid: str, id_: str, number: int) -> dict[str, Any]:
    owner = {
        "apiVersion": "ragfleet.dev/v1alpha1",
        "kind": "RAGPipeline",
        "name": "handbook",
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {
            "name": f"handbook-{id_}",
            "labels": {"ragfleet.dev/pipeline": "handbook", "ragfleet.dev/revision": id_},
            "ownerReferences": [owner],
        },
        "revision": number,
        "data": {
            "spec": {**pipeline()["spec"], "requests": {"timeoutSeconds": number}},
            "template": {"metadata": {"labels": {}, "annotations": {}}, "spec": {}},
            "config": "{}",
            "configVersion": 1,
            "image": f"registry.example/ragfleet:{number}",
            "namesImage": False,
        },
    }


def person_with(place: Place, rules: list[dict[str, Any]], capsys: Captured) -> Person:
    """Somebody who may do what these rules say, and nothing else."""
    place.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "person"}},
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": {"name": "person"},
            "rules": rules,
        },
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "RoleBinding",
            "metadata": {"name": "person"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "person"},
            "subjects": [{"kind": "ServiceAccount", "name": "person"}],
        },
    )
    return Person(place, place.control_plane.kubeconfig_for("person", place.namespace), capsys)


def test_a_pin_is_set_and_taken_away_with_these_permissions(place: Place, capsys: Captured) -> None:
    person = person_with(place, RULES, capsys)
    code, out, err = person.rollback()
    assert (code, err) == (0, "")
    assert f"goes to revision 1 ({GOOD})" in out
    assert (person.pin, person.metadata["generation"]) == (f"{GOOD}@1", 1)
    code, out, _ = person.rollback("--list")
    assert code == 0
    assert "last good, pinned" in out
    assert "current" in out
    assert person.rollback("--clear")[0] == 0
    assert person.pin is None


def test_a_pin_stays_when_the_same_manifest_is_applied_again(place: Place, capsys: Captured) -> None:
    person = person_with(place, RULES, capsys)
    assert person.rollback("--to-revision", "1")[0] == 0
    place.apply(pipeline())
    apply = ("apply", "--server-side", "--force-conflicts", "--field-manager=gitops", "-f", "-")
    place.kubectl(*apply, stdin=json.dumps(pipeline()))
    place.kubectl("replace", "-f", "-", stdin=json.dumps(place.get("ragp/handbook")))
    assert (person.pin, person.metadata["generation"]) == (f"{GOOD}@1", 1)


def test_an_edit_or_a_scale_ends_a_pin_without_a_write(place: Place, capsys: Captured) -> None:
    person = person_with(place, RULES, capsys)
    assert person.rollback()[0] == 0
    place.kubectl("scale", "ragp/handbook", "--replicas=3")
    _, out, err = person.rollback("--list")
    assert "pinned" not in out
    assert "hasn't taken up the last edit" in err
    assert person.rollback("--to-revision", GOOD)[0] == 0
    assert person.pin == f"{GOOD}@2"


def test_a_pin_without_a_generation_is_taken_away_too(place: Place, capsys: Captured) -> None:
    person = person_with(place, RULES, capsys)
    place.kubectl("annotate", "ragp/handbook", f"{PIN}={BAD}")
    assert "current, pinned" in person.rollback("--list")[1]
    assert person.rollback("--clear")[0] == 0
    assert person.pin is None


@pytest.mark.parametrize(
    ("rules", "what"),
    [
        ([], 'cannot get resource "ragpipelines"'),
        (RULES[:1], 'cannot list resource "controllerrevisions"'),
        (
            [{**RULES[0], "verbs": ["get"]}, RULES[1]],
            'cannot patch resource "ragpipelines"',
        ),
    ],
)
def test_what_is_not_allowed_is_one_line(
    place: Place, rules: list[dict[str, Any]], what: str, capsys: Captured
) -> None:
    line = person_with(place, rules, capsys).refused()
    assert line.startswith("ragfleet: not allowed: ")
    assert what in line


def test_what_is_not_there_is_one_line(place: Place, control_plane: ControlPlane, capsys: Captured) -> None:
    person = Person(place, control_plane.kubeconfig, capsys)
    assert "no RAGPipeline handbook in namespace default" in person.refused()
    at = ("--namespace", place.namespace)
    line = person.refused(*at, "--to-revision", "7")
    assert line == (
        f"ragfleet: handbook has no revision 7: there are 1 ({GOOD}, last good), 2 ({BAD}, current)"
    )
    assert "no cluster to connect to" in person.refused(*at, "--context", "nowhere")


def test_credentials_that_are_not_taken_are_one_line(
    place: Place, control_plane: ControlPlane, tmp_path: Path, capsys: Captured
) -> None:
    file = tmp_path / "kubeconfig"
    token = "canary-credential"
    file.write_text(control_plane.kubeconfig.read_text().replace(control_plane.token, token))
    line = Person(place, file, capsys).refused("--namespace", place.namespace)
    assert line == "ragfleet: the cluster doesn't accept your credentials: log in to it again"


def test_the_operator_follows(control_plane: ControlPlane, namespace: str, capsys: Captured) -> None:
    place = Place(control_plane, namespace)
    person = person_with(place, RULES, capsys)

    def wait_for(reason: str, current: int) -> None:
        """Until the pipeline says why it is ready, and runs the revision of that number."""

        def is_so() -> bool:
            found = place.get("ragp/handbook") or {}
            status = found.get("status") or {}
            ready = {item["type"]: item for item in status.get("conditions", ())}.get("Ready", {})
            kept = {item["metadata"]["name"]: item["revision"] for item in place.list("controllerrevisions")}
            runs = kept.get(f"handbook-{status.get('revisions', {}).get('current')}")
            return (ready.get("reason"), runs) == (reason, current)

        place.wait_until(is_so, f"{reason} with revision {current}")

    with operator_process(control_plane, namespaces=[namespace]):
        for number, top_k in enumerate((3, 4, 5), start=1):
            place.apply(pipeline(retrieval={"mode": "Sparse", "topK": top_k}))
            wait_for("Ready", number)
        assert person.rollback()[0] == 0
        wait_for("Pinned", 2)
        assert person.rollback()[0] == 0
        wait_for("Pinned", 1)
        assert "nothing to go back to" in person.refused()
        code, out, _ = person.rollback("--list")
        assert (code, len(out.splitlines())) == (0, 4)
        assert "current, last good, pinned" in out.splitlines()[1]
        assert out.splitlines()[2].endswith("retrieval")
        listed = place.kubectl(
            "get",
            "controllerrevisions",
            "--selector=ragfleet.dev/pipeline=handbook",
            "--label-columns=ragfleet.dev/revision",
            "--sort-by=.revision",
            "--no-headers",
        ).stdout
        assert [line.split()[0].removeprefix("handbook-") for line in listed.splitlines()] == [
            line.split()[1] for line in out.splitlines()[1:]
        ]
        assert person.rollback("--clear")[0] == 0
        wait_for("Ready", 3)
        assert person.rollback("--to-revision", "1")[0] == 0
        wait_for("Pinned", 1)
        place.kubectl("scale", "ragp/handbook", "--replicas=1")
        wait_for("Ready", 3)
        # Held back: what runs is what it goes back to.
        waits = {"required": True, "apiKeys": {"secretRef": {"name": "nobody-made-it"}}}
        place.apply(pipeline(retrieval={"mode": "Sparse", "topK": 5}, replicas=1, auth=waits))
        wait_for("SecretMissing", 3)
        assert person.rollback()[0] == 0
        told = "--for=jsonpath={.status.revisions.pinned}=" + (person.pin or "").partition("@")[0]
        place.kubectl("wait", "ragp/handbook", told, "--timeout=60s")
        wait_for("Pinned", 3)
