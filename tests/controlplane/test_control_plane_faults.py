"""What tests can do to the control plane, and what ends with it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import psutil
import pytest

from support.control_plane import ControlPlane, KubectlError, control_plane
from support.control_plane_binaries import PROGRAMS, MissingProgramsError, find_programs

TESTS = Path(__file__).parents[1]


def test_a_restarted_api_server_has_its_data_its_address_and_its_clients(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "configmap", "kept", namespace=namespace)
    control_plane.stop_api_server()
    with control_plane.client() as client, pytest.raises(httpx.ConnectError):
        client.get("/readyz")
    control_plane.start_api_server()
    assert control_plane.kubectl("get", "configmap", "kept", namespace=namespace).code == 0
    control_plane.kubectl(
        "create", "deployment", "web", "--image=registry.example/web:1", namespace=namespace
    )
    control_plane.kubectl("rollout", "status", "deployment/web", "--timeout=30s", namespace=namespace)


def test_a_paused_api_server_answers_nothing_until_it_goes_on(control_plane: ControlPlane) -> None:
    with control_plane.client() as client:
        assert client.get("/readyz").is_success
        control_plane.pause_api_server()
        try:
            with pytest.raises(httpx.ReadTimeout):
                client.get("/readyz", timeout=1)
        finally:
            control_plane.resume_api_server()
    control_plane.wait_ready()


def test_a_watch_from_before_a_compaction_is_told_that_its_version_is_gone(
    control_plane: ControlPlane, namespace: str
) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with control_plane.client() as client:
        before = client.get(path).json()["metadata"]["resourceVersion"]
    control_plane.kubectl("create", "configmap", "newer", namespace=namespace)
    assert control_plane.compact() > int(before)
    control_plane.restart_api_server()
    query = {"watch": "true", "resourceVersion": before, "timeoutSeconds": "5"}
    with control_plane.client() as client:
        answer = client.get(path, params=query)
    first = json.loads(answer.text.splitlines()[0])
    assert (first["object"]["code"] if "object" in first else first["code"]) == 410


def test_a_service_account_may_do_what_it_is_allowed_and_no_more(
    control_plane: ControlPlane, namespace: str
) -> None:
    control_plane.kubectl("create", "serviceaccount", "reader", namespace=namespace)
    control_plane.kubectl("create", "role", "reader", "--verb=list", "--resource=pods", namespace=namespace)
    control_plane.kubectl(
        "create", "rolebinding", "reader", "--role=reader", f"--serviceaccount={namespace}:reader",
        namespace=namespace,
    )  # fmt: skip
    config = control_plane.kubeconfig_for("reader", namespace)
    assert "No resources found" in control_plane.kubectl("get", "pods", config=config).stderr
    with pytest.raises(KubectlError, match="Forbidden"):
        control_plane.kubectl("get", "secrets", config=config)


def test_only_who_may_delete_an_owner_can_block_its_deletion(
    control_plane: ControlPlane, namespace: str
) -> None:
    """OwnerReferencesPermissionEnforcement, which OpenShift has and most test clusters lack."""
    control_plane.kubectl("create", "configmap", "owner", namespace=namespace)
    uid = control_plane.kubectl(
        "get", "configmap", "owner", "--output=jsonpath={.metadata.uid}", namespace=namespace
    ).stdout
    control_plane.kubectl("create", "serviceaccount", "maker", namespace=namespace)
    control_plane.kubectl(
        "create", "role", "maker", "--verb=create", "--resource=secrets", namespace=namespace
    )
    control_plane.kubectl(
        "create", "rolebinding", "maker", "--role=maker", f"--serviceaccount={namespace}:maker",
        namespace=namespace,
    )  # fmt: skip
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "name": "owner", "uid": uid, "blockOwnerDeletion": True}
    child = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "child", "namespace": namespace, "ownerReferences": [owner]},
    }
    with control_plane.client(control_plane.token_for("maker", namespace)) as client:
        answer = client.post(f"/api/v1/namespaces/{namespace}/secrets", json=child)
    assert answer.status_code == 403
    assert "blockOwnerDeletion" in answer.json()["message"]


def test_every_program_ends_with_the_process_that_started_it(
    control_plane: ControlPlane, tmp_path: Path
) -> None:
    """A second control plane, in a process that is killed."""
    script = (
        "import time\n"
        "from support.control_plane import control_plane\n"
        "with control_plane() as cluster:\n"
        "    print(*(program.pid for program in cluster.programs.values()), flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        cwd=TESTS,
        env={**os.environ, "PYTHONPATH": ".", "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
    assert len(pids) == 5
    deadline = time.monotonic() + 10
    while any(map(psutil.pid_exists, pids)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_programs_come_from_the_assets_first(tmp_path: Path) -> None:
    assets, built = tmp_path / "assets", tmp_path / "built"
    for folder, names in ((assets, ("etcd", "kubectl", "kwok")), (built, PROGRAMS)):
        folder.mkdir()
        for name in names:
            (folder / name).touch()
    found = find_programs({"KUBEBUILDER_ASSETS": str(assets)}, built)
    assert {name for name, path in found.items() if path.parent == assets} == {"etcd", "kubectl"}
    assert set(find_programs({}, built).values()) == {built / name for name in PROGRAMS}


def test_missing_programs_are_named(tmp_path: Path) -> None:
    for name in PROGRAMS[1:]:
        (tmp_path / name).touch()
    with pytest.raises(MissingProgramsError, match=r"^no etcd: run make control-plane"):
        find_programs({}, tmp_path)


def test_a_program_that_does_not_start_is_told_with_its_log(monkeypatch: pytest.MonkeyPatch) -> None:
    from support import control_plane as module
    from support.control_plane_process import ProgramError

    broken = find_programs() | {"etcd": Path("/bin/false")}
    monkeypatch.setattr(module, "find_programs", lambda: broken)
    with pytest.raises(ProgramError, match="etcd isn't running"), control_plane():
        pytest.fail("it started")
