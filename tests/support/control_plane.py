"""A real control plane on the loopback: etcd, API server, controllers, scheduler, and KWOK as the kubelet.

``with control_plane() as cluster`` starts it in a temporary folder and ends it whatever happens. It is
synchronous: from a coroutine, call what waits in a thread (``anyio.to_thread.run_sync``).
"""

from __future__ import annotations

import os
import secrets
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from support import control_plane_objects as objects
from support.control_plane_binaries import find_programs
from support.control_plane_files import kubeconfig, write_private
from support.control_plane_flags import NODE, Layout, arguments
from support.control_plane_folder import USERS, free_layout, write_files
from support.control_plane_process import Program, ProgramError, Spawner

_START_SECONDS = 60.0


class KubectlError(Exception):
    """kubectl ended with another code than 0; the message is what it said."""


@dataclass(frozen=True, slots=True)
class Completed:
    """What kubectl printed, and its exit code."""

    stdout: str
    stderr: str
    code: int


class ControlPlane:
    """A running control plane, as tests use it. The admin may do everything."""

    def __init__(self, layout: Layout, programs: Mapping[str, Program], kubectl: Path, token: str) -> None:
        self.url = layout.url
        self.kubeconfig = layout.kubeconfig("admin")
        self.certificate = layout.certificate
        self.audit_log = layout.audit_log
        self.programs = programs
        self.token = token
        self._layout = layout
        self.kubectl_path = kubectl
        self._users = 0

    def client(self, token: str | None = None) -> httpx.Client:
        """An HTTP client of the API server: the admin's, or another token's. The caller closes it."""
        return httpx.Client(
            base_url=self.url,
            verify=ssl.create_default_context(cafile=str(self.certificate)),
            headers={"Authorization": f"Bearer {token or self.token}"},
            timeout=30,
            trust_env=False,
        )

    def kubectl(
        self,
        *arguments: str,
        stdin: str | None = None,
        namespace: str | None = None,
        check: bool = True,
        config: Path | None = None,
        timeout_seconds: float = 60,
    ) -> Completed:
        """Run kubectl as the admin, or with another kubeconfig.

        Raises KubectlError where ``check`` is set and it fails; subprocess.TimeoutExpired.
        """
        home = str(self._layout.folder)
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "HOME": home,
            "KUBECONFIG": str(config or self.kubeconfig),
        }
        place = ["--namespace", namespace] if namespace else []
        done = subprocess.run(
            [str(self.kubectl_path), *place, *arguments],
            input=stdin if stdin is not None else "",
            capture_output=True,
            text=True,
            check=False,
            env=environment,
            timeout=timeout_seconds,
        )
        if check and done.returncode:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return Completed(done.stdout, done.stderr, done.returncode)

    def token_for(self, service_account: str, namespace: str, *, seconds: int = 3600) -> str:
        """A token of a ServiceAccount, as a pod has it."""
        path = f"/api/v1/namespaces/{namespace}/serviceaccounts/{service_account}/token"
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"expirationSeconds": seconds},
        }
        with self.client() as client:
            answer = client.post(path, json=request).raise_for_status()
        return str(answer.json()["status"]["token"])

    def kubeconfig_for(self, service_account: str, namespace: str) -> Path:
        """A new kubeconfig of a ServiceAccount, whose current namespace is its own."""
        self._users += 1
        path = self._layout.kubeconfig(f"{namespace}-{service_account}-{self._users}")
        token = self.token_for(service_account, namespace)
        return write_private(path, kubeconfig(self.url, self.certificate, token, namespace))

    def pause_api_server(self) -> None:
        """Let the API server answer nothing, with every connection open."""
        self.programs["kube-apiserver"].pause()

    def resume_api_server(self) -> None:
        """Let a paused API server go on."""
        self.programs["kube-apiserver"].resume()

    def stop_api_server(self) -> None:
        """End the API server at once: connections are reset, new ones refused."""
        self.programs["kube-apiserver"].kill()

    def start_api_server(self) -> None:
        """Start a stopped API server on the same data and port, and wait until it is ready."""
        self.programs["kube-apiserver"].start()
        self.wait_ready()

    def restart_api_server(self) -> None:
        """Stop and start the API server: watches end, and its memory of past versions is gone."""
        self.stop_api_server()
        self.start_api_server()

    def compact(self) -> int:
        """Drop etcd's past versions, and give the version that is kept.

        After a restart of the API server too, a watch from an older version is answered with 410.
        """
        with httpx.Client(base_url=self._layout.etcd_url, trust_env=False) as etcd:
            header = etcd.post("/v3/kv/range", json={"key": "AA=="}).raise_for_status().json()["header"]
            revision = header["revision"]
            etcd.post("/v3/kv/compaction", json={"revision": revision, "physical": True}).raise_for_status()
        return int(revision)

    def wait_ready(self) -> None:
        """Wait until the API server says that it is ready. Raises ProgramError."""
        self.wait_for(lambda client: client.get("/readyz").is_success, "the API server to be ready")

    def wait_for(
        self, check: Callable[[httpx.Client], bool], what: str, seconds: float = _START_SECONDS
    ) -> None:
        """Wait until a check on the API is true; one that can't connect is false.

        Raises ProgramError where a program has ended, or the time is over.
        """
        deadline = time.monotonic() + seconds
        while not self._passes(check):
            for program in self.programs.values():
                program.check()
            if time.monotonic() > deadline:
                raise ProgramError(f"waited {seconds:g} s for {what}")
            time.sleep(0.05)

    def _passes(self, check: Callable[[httpx.Client], bool]) -> bool:
        if not self.certificate.exists():
            return False
        try:
            with self.client() as client:
                return check(client)
        except (httpx.TransportError, ssl.SSLError):
            return False


@contextmanager
def control_plane() -> Iterator[ControlPlane]:
    """Start a control plane; it is empty but for one node and its volumes.

    Raises MissingProgramsError; ProgramError with the end of a program's log.
    """
    paths = find_programs()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="control-plane-")))
        spawner = stack.enter_context(Spawner())
        layout = free_layout(folder)
        tokens = {user: secrets.token_urlsafe(24) for user in USERS}
        write_files(layout, tokens)
        programs = {
            name: Program(spawner, [str(paths[name]), *flags], layout.log(name))
            for name, flags in arguments(layout).items()
        }
        for program in programs.values():
            stack.callback(program.kill)  # the data goes with it: nothing to end in order
        yield _started(ControlPlane(layout, programs, paths["kubectl"], tokens["admin"]), layout, tokens)


def _started(cluster: ControlPlane, layout: Layout, tokens: Mapping[str, str]) -> ControlPlane:
    first = ("etcd", "kube-apiserver")
    programs = cluster.programs
    cluster.programs = {name: programs[name] for name in first}
    for program in cluster.programs.values():
        program.start()
    cluster.wait_ready()
    for user, token in tokens.items():
        write_private(layout.kubeconfig(user), kubeconfig(layout.url, layout.certificate, token))
    cluster.programs = programs
    for program in programs.values():
        program.start()
    with cluster.client() as client:
        for path, body in (objects.node(), *objects.storage()):
            client.post(path, json=body).raise_for_status()
    cluster.wait_for(_is_complete, "the node and the controllers")
    return cluster


def _is_complete(client: httpx.Client) -> bool:
    account = client.get("/api/v1/namespaces/default/serviceaccounts/default")
    node: dict[str, Any] = client.get(f"/api/v1/nodes/{NODE}").raise_for_status().json()
    conditions = {item["type"]: item["status"] for item in node["status"].get("conditions", [])}
    # The taint of a node that isn't ready goes a moment after.
    return account.is_success and conditions.get("Ready") == "True" and not node["spec"].get("taints")
