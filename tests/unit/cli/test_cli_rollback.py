from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from ragfleet_cli import cluster as cluster_module
from ragfleet_cli.cluster import current_namespace, plain_errors
from ragfleet_cli.history import History, read_history
from ragfleet_cli.main import main
from ragfleet_operator.engine.errors import ApiError, Conflict, Forbidden, NotFound, Unauthorized, Unavailable
from ragfleet_operator.kinds import CONTROLLER_REVISION, PIPELINE, Kind
from ragfleet_operator.model import Object
from ragfleet_operator.names import PIN_ANNOTATION, PIPELINE_LABEL, REVISION_LABEL
from support.fake_cluster import FakeCluster

Captured = pytest.CaptureFixture[str]

NAMESPACE = "team-a"
# By number: the hash of the second has decimal digits alone, as one in a hundred has.
IDS = {1: "aaaaaaaaa1", 2: "1234567890", 3: "ccccccccc3", 4: "ddddddddd4"}


class PatchedCluster(FakeCluster):
    """A cluster in memory that merges patches. edits: what somebody else does before each of them."""

    def __init__(self) -> None:
        super().__init__()
        self.edits: list[Mapping[str, Any]] = []
        self.patches: list[Object] = []

    async def merge(self, kind: Kind, namespace: str, name: str, patch: Object) -> Object:
        self._called("patch", kind)
        if self.edits:
            self.put(kind, {"metadata": {"namespace": namespace, "name": name}, **self.edits.pop(0)})
        live = self.objects[kind, namespace, name]
        if patch["metadata"]["resourceVersion"] != live["metadata"]["resourceVersion"]:
            raise Conflict("the object has been modified")
        self.patches.append(patch)
        annotations = {**live["metadata"].get("annotations", {}), **patch["metadata"]["annotations"]}
        kept = {name: value for name, value in annotations.items() if value is not None}
        return self._store(
            (kind, namespace, name), {**live, "metadata": {**live["metadata"], "annotations": kept}}
        )

    @property
    def pin(self) -> str | None:
        metadata = self.objects[PIPELINE, NAMESPACE, "handbook"]["metadata"]
        annotations: dict[str, str] = metadata.get("annotations", {})
        return annotations.get(PIN_ANNOTATION)

    def set_pin(self, value: str) -> None:
        self.put(PIPELINE, pipeline(annotations={PIN_ANNOTATION: value}))

    def edit(self, **spec: Any) -> None:
        """Somebody edits the spec."""
        self.put(PIPELINE, {**pipeline(), "spec": spec})

    def tell(self, **revisions: Any) -> None:
        """The operator writes its status for the spec as it is."""
        generation = self.objects[PIPELINE, NAMESPACE, "handbook"]["metadata"]["generation"]
        self.put(PIPELINE, pipeline(), observedGeneration=generation, revisions=revisions)


def pipeline(**metadata: Any) -> dict[str, Any]:
    return {"metadata": {"name": "handbook", "namespace": NAMESPACE, **metadata}}


def kept(number: int, owner: str, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": f"handbook-{IDS[number]}",
            "namespace": NAMESPACE,
            "labels": {PIPELINE_LABEL: "handbook", REVISION_LABEL: IDS[number]},
            "ownerReferences": [{"kind": "RAGPipeline", "name": "handbook", "uid": owner}],
            "creationTimestamp": f"2026-11-21T16:00:0{number}Z",
        },
        "revision": number,
        "data": {
            "spec": spec,
            "template": {"metadata": {"labels": {}, "annotations": {}}, "spec": {}},
            "config": "{}",
            "configVersion": 1,
            "image": f"registry.example/ragfleet:{number}",
            "namesImage": False,
        },
    }


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> PatchedCluster:
    """Four revisions of a pipeline: the third is good, the fourth is on its way."""
    made = PatchedCluster()
    made.edit(replicas=1)
    uid = made.objects[PIPELINE, NAMESPACE, "handbook"]["metadata"]["uid"]
    for number in (4, 2, 1, 3):
        spec = {"retrieval": {"topK": number}, "chunking": {}, "replicas": number}
        made.put(CONTROLLER_REVISION, kept(number, uid, **spec))
    made.tell(current=IDS[4], lastGood=IDS[3])
    made.calls.clear()

    @asynccontextmanager
    async def connected(kubeconfig: Path | None, context: str | None) -> AsyncIterator[PatchedCluster]:
        with plain_errors():
            yield made

    monkeypatch.setattr(cluster_module, "connected", connected)
    return made


def rollback(*arguments: str) -> int:
    return main(["rollback", "handbook", "--namespace", NAMESPACE, *arguments])


def refused(capsys: Captured, *arguments: str) -> str:
    """The one line that is said of what can't be done."""
    assert rollback(*arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    return line.removeprefix("ragfleet: ")


def test_it_goes_to_the_last_good_one_and_says_what_happens(
    cluster: PatchedCluster, capsys: Captured
) -> None:
    assert rollback() == 0
    assert cluster.pin == f"{IDS[3]}@1"
    captured = capsys.readouterr()
    assert captured.err == ""
    assert captured.out.splitlines() == [
        f"handbook goes to revision 3 ({IDS[3]}), made 2026-11-21T16:00:03Z",
        "it is held there until the next edit of the spec, which is left as it is: GitOps isn't fought",
        "watch it: kubectl get ragpipeline handbook --namespace team-a --watch",
    ]


def test_only_the_annotation_is_written_and_on_the_version_that_was_read(cluster: PatchedCluster) -> None:
    version = cluster.objects[PIPELINE, NAMESPACE, "handbook"]["metadata"]["resourceVersion"]
    rollback()
    change = {"resourceVersion": version, "annotations": {PIN_ANNOTATION: f"{IDS[3]}@1"}}
    assert cluster.patches == [{"metadata": change}]


def test_where_the_last_good_one_runs_it_goes_to_the_newest_before(cluster: PatchedCluster) -> None:
    cluster.tell(current=IDS[3], lastGood=IDS[3])
    assert rollback() == 0
    assert cluster.pin == f"{IDS[2]}@1"


def test_an_edit_that_was_rolled_back_already_is_left_for_what_runs(
    cluster: PatchedCluster, capsys: Captured
) -> None:
    rejected = {"revision": IDS[4], "generation": 1, "reason": "CrashLoopBackOff", "message": ""}
    cluster.tell(current=IDS[3], lastGood=IDS[3], rejected=rejected)
    assert rollback() == 0
    assert cluster.pin == f"{IDS[3]}@1"
    assert capsys.readouterr().out.startswith("handbook stays at revision 3 ")
    cluster.tell(pinned=IDS[3])
    assert rollback() == 0
    assert cluster.pin == f"{IDS[2]}@1"


@pytest.mark.parametrize("reason", ["WorkloadWaits", "ImageOutdated"])
def test_an_edit_that_is_held_back_is_left_for_what_runs(cluster: PatchedCluster, reason: str) -> None:
    cluster.tell(current=IDS[3], lastGood=IDS[3])
    cluster.put(PIPELINE, pipeline(), conditions=[{"type": "ChildrenApplied", "reason": reason}])
    assert rollback() == 0
    assert cluster.pin == f"{IDS[3]}@1"


def test_it_passes_over_one_that_was_rolled_back(cluster: PatchedCluster) -> None:
    rejected = {"revision": IDS[2], "generation": 1, "reason": "CrashLoopBackOff", "message": ""}
    cluster.tell(current=IDS[3], lastGood=IDS[3], pinned=IDS[3], rejected=rejected)
    assert rollback() == 0
    assert cluster.pin == f"{IDS[1]}@1"


def test_from_an_edit_that_nobody_took_up_yet_it_goes_to_what_ran_before_it(cluster: PatchedCluster) -> None:
    cluster.tell(current=IDS[4], lastGood=IDS[4])
    cluster.edit(replicas=2)
    assert rollback() == 0
    assert cluster.pin == f"{IDS[4]}@2"


@pytest.mark.parametrize("wanted", ["2", IDS[2]])
def test_a_revision_is_named_by_number_or_id(cluster: PatchedCluster, wanted: str) -> None:
    assert rollback("--to-revision", wanted) == 0
    assert cluster.pin == f"{IDS[2]}@1"


def test_what_runs_can_be_pinned_too(cluster: PatchedCluster, capsys: Captured) -> None:
    assert rollback("--to-revision", "4") == 0
    assert cluster.pin == f"{IDS[4]}@1"
    assert capsys.readouterr().out.startswith("handbook stays at revision 4 ")


def test_a_rejected_revision_is_tried_again_when_it_is_named(
    cluster: PatchedCluster, capsys: Captured
) -> None:
    rejected = {"revision": IDS[4], "generation": 1, "reason": "CrashLoopBackOff", "message": ""}
    cluster.tell(current=IDS[3], lastGood=IDS[3], rejected=rejected)
    assert rollback("--to-revision", "4") == 0
    assert cluster.pin == f"{IDS[4]}@1"
    assert "was rolled back (CrashLoopBackOff); it is tried once more" in capsys.readouterr().err
    cluster.tell(rejected={**rejected, "pin": f"{IDS[4]}@1"})
    assert "was tried by this pin" in refused(capsys, "--to-revision", "4")


def test_the_same_pin_is_not_written_twice(cluster: PatchedCluster) -> None:
    assert (rollback("--to-revision", "2"), rollback("--to-revision", "2")) == (0, 0)
    assert len(cluster.patches) == 1


def test_a_status_that_is_written_meanwhile_is_no_reason_to_give_up(cluster: PatchedCluster) -> None:
    cluster.edits = [{"status": {"replicas": 1}}, {"status": {"replicas": 2}}]
    assert rollback() == 0
    assert (cluster.pin, cluster.calls["patch", "RAGPipeline"]) == (f"{IDS[3]}@1", 3)


def test_a_spec_that_is_edited_meanwhile_is_not_pinned(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.edits = [{"spec": {"replicas": 3}}]
    assert "was changed meanwhile: look at it with --list" in refused(capsys)
    assert cluster.pin is None


def test_it_gives_up_where_others_never_rest(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.edits = [{"status": {"replicas": number}} for number in range(9)]
    assert "changed all the time" in refused(capsys)
    assert cluster.calls["patch", "RAGPipeline"] == 5


@pytest.mark.parametrize("pin", [f"{IDS[2]}@1", f"{IDS[2]}@9", IDS[2]])
def test_a_pin_is_taken_away(cluster: PatchedCluster, pin: str, capsys: Captured) -> None:
    cluster.set_pin(pin)
    assert rollback("--clear") == 0
    assert cluster.pin is None
    assert "its own spec counts again" in capsys.readouterr().out
    assert rollback("--clear") == 0
    assert "nothing to clear" in capsys.readouterr().out
    assert len(cluster.patches) == 1


def test_the_list_says_what_each_is(cluster: PatchedCluster, capsys: Captured) -> None:
    rejected = {"revision": IDS[4], "generation": 1, "reason": "ImagePullBackOff", "message": "m"}
    cluster.tell(current=IDS[3], lastGood=IDS[3], rejected=rejected)
    cluster.set_pin(f"{IDS[2]}@1")
    assert rollback("--list") == 0
    lines = capsys.readouterr().out.splitlines()
    rows = [[cell.strip() for cell in line.split("   ") if cell.strip()] for line in lines]
    assert rows == [
        ["REVISION", "ID", "CREATED", "IMAGE", "STATE", "DIFFERS IN"],
        _row(1, "-", "retrieval"),
        _row(2, "pinned", "retrieval"),
        _row(3, "current, last good", "-"),
        _row(4, "rejected: ImagePullBackOff", "retrieval"),
    ]
    assert cluster.writes == 0
    assert cluster.patches == []


def _row(number: int, state: str, differing: str) -> list[str]:
    image, created = f"registry.example/ragfleet:{number}", f"2026-11-21T16:00:0{number}Z"
    return [str(number), IDS[number], created, image, state, differing]


def test_a_pin_of_an_earlier_spec_is_not_shown(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.set_pin(f"{IDS[2]}@1")
    cluster.edit(replicas=2)
    assert rollback("--list") == 0
    captured = capsys.readouterr()
    assert "pinned" not in captured.out
    assert "hasn't taken up the last edit" in captured.err


def test_revisions_of_another_owner_are_not_this_pipelines(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.remove(CONTROLLER_REVISION, NAMESPACE, f"handbook-{IDS[2]}")
    cluster.put(CONTROLLER_REVISION, kept(2, "of-an-earlier-pipeline"))
    line = refused(capsys, "--to-revision", "2")
    assert line == (
        f"handbook has no revision 2: there are 1 ({IDS[1]}), 3 ({IDS[3]}, last good), 4 ({IDS[4]}, current)"
    )


def test_nothing_to_go_back_to_is_said(cluster: PatchedCluster, capsys: Captured) -> None:
    for number in (2, 3, 4):
        cluster.remove(CONTROLLER_REVISION, NAMESPACE, f"handbook-{IDS[number]}")
    cluster.tell(current=IDS[1], lastGood=IDS[1])
    line = refused(capsys)
    assert line == f"handbook has nothing to go back to: there are 1 ({IDS[1]}, current, last good)"
    cluster.remove(CONTROLLER_REVISION, NAMESPACE, f"handbook-{IDS[1]}")
    assert refused(capsys) == "handbook has nothing to go back to: none is kept of it yet"
    assert rollback("--list") == 0
    assert "nothing is kept of handbook yet" in capsys.readouterr().err


def test_from_the_first_revision_another_must_be_named(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.tell(current=IDS[1], lastGood=IDS[1])
    line = refused(capsys)
    assert line.startswith("handbook has nothing to go back to: there are 1 ")
    assert line.endswith("; another can be named with --to-revision")


def test_a_suspended_pipeline_is_not_pinned(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.edit(suspend=True)
    assert "is suspended" in refused(capsys)


def test_a_pipeline_on_its_way_out_is_not_pinned(cluster: PatchedCluster, capsys: Captured) -> None:
    cluster.put(PIPELINE, pipeline(deletionTimestamp="2026-11-21T17:00:00Z"))
    assert refused(capsys) == "handbook is being deleted"


def test_a_pipeline_that_is_not_there_is_said_with_those_that_are(
    cluster: PatchedCluster, capsys: Captured
) -> None:
    assert main(["rollback", "handbok", "-n", NAMESPACE]) == 2
    assert capsys.readouterr().err == (
        "ragfleet: no RAGPipeline handbok in namespace team-a: there are handbook\n"
    )
    assert main(["rollback", "handbook", "-n", "team-b"]) == 2
    assert "in namespace team-b, nor another: name it with --namespace" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verb", "error", "message"),
    [
        ("get", Forbidden("you may not"), "not allowed: you may not"),
        ("list", Forbidden("you may not"), "not allowed: you may not"),
        ("patch", Forbidden("you may not"), "not allowed: you may not"),
        ("get", Unauthorized("x"), "the cluster doesn't accept your credentials: log in to it again"),
        ("get", Unavailable("timed out"), "no answer from the cluster: timed out"),
        ("patch", ApiError("what it says"), "what it says"),
    ],
)
def test_what_the_api_server_refuses_is_one_plain_line(
    cluster: PatchedCluster, verb: str, error: ApiError, message: str, capsys: Captured
) -> None:
    kind = CONTROLLER_REVISION if verb == "list" else PIPELINE
    cluster.faults[verb, kind] = error
    assert refused(capsys) == message


def test_a_cluster_without_the_definition_is_said(cluster: PatchedCluster, capsys: Captured) -> None:
    for verb in ("get", "list"):
        cluster.faults[verb, PIPELINE] = NotFound("page not found")
    assert refused(capsys).startswith("the cluster has no RAGPipelines: ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--list", "--clear"], "--to-revision, --list and --clear are different things: choose one"),
        (["--list", "--to-revision", "1"], "--to-revision, --list and --clear are different things"),
        (["--namespace", "../x"], "--namespace ../x: must be a namespace's name, as in team-a"),
    ],
)
def test_options_that_make_no_sense(
    cluster: PatchedCluster, arguments: list[str], message: str, capsys: Captured
) -> None:
    assert refused(capsys, *arguments).startswith(message)
    assert not cluster.calls


def test_a_name_that_would_be_another_path_is_refused(cluster: PatchedCluster, capsys: Captured) -> None:
    assert main(["rollback", "..", "-n", NAMESPACE]) == 2
    assert "NAME ..: must be a pipeline's name" in capsys.readouterr().err
    assert not cluster.calls


def test_without_a_cluster_it_says_so(tmp_path: Path, capsys: Captured) -> None:
    assert refused(capsys, "--kubeconfig", str(tmp_path / "none")).startswith("there is no file ")
    file = kubeconfig(tmp_path, {"a": None})
    assert "no answer from the cluster: can't reach the API server" in refused(
        capsys, "--kubeconfig", str(file)
    )
    assert "no cluster to connect to" in refused(capsys, "--kubeconfig", str(file), "--context", "b")


def test_the_namespace_is_that_of_the_context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = kubeconfig(tmp_path, {"a": "team-a", "b": "team-b", "c": None})
    assert current_namespace(file, None) == "team-a"
    assert current_namespace(file, "b") == "team-b"
    assert current_namespace(file, "c") == "default"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path / 'none'}:{file}")
    assert current_namespace(None, None) == "team-a"
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "none"))
    assert current_namespace(None, None) == "default"


def kubeconfig(folder: Path, contexts: Mapping[str, str | None]) -> Path:
    """A kubeconfig of a cluster where nobody listens; the first context is the current one."""
    named = [
        {"name": name, "context": {"cluster": "x", "user": "x", **({"namespace": at} if at else {})}}
        for name, at in contexts.items()
    ]
    file = folder / "kubeconfig"
    file.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:1"}}],
                "users": [{"name": "x", "user": {"token": "canary-token"}}],
                "contexts": named,
                "current-context": next(iter(contexts)),
            }
        )
    )
    return file


def test_how_to_watch_names_the_same_cluster(cluster: PatchedCluster, capsys: Captured) -> None:
    assert rollback("--context", "a b", "--kubeconfig", "/k") == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert last.startswith("watch it: kubectl --kubeconfig /k --context 'a b' get ragpipeline handbook ")


def test_without_the_extra_it_says_what_to_install() -> None:
    code = (
        "import sys; sys.modules['kubernetes'] = None; from ragfleet_cli.main import main; "
        "sys.exit(main(['rollback', 'handbook']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ragfleet: rollback needs kubernetes: pip install 'ragfleet[operator]'\n"


def test_the_help_has_examples(capsys: Captured) -> None:
    assert main(["rollback", "--help"]) == 0
    _, _, after = capsys.readouterr().out.partition("Examples:")
    lines = after.strip().splitlines()
    assert len(lines) >= 2
    assert all(line.strip().startswith("ragfleet rollback") for line in lines)


def test_a_pipeline_without_a_status_has_a_history_too() -> None:
    history = read_history({"metadata": {"name": "a", "uid": "u", "generation": 1}}, [])
    assert history == History("a", (), 1, is_behind=True)
