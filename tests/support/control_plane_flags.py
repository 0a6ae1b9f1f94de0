"""How each program of the control plane is started: arguments alone, no processes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

ISSUER = "https://kubernetes.default.svc.cluster.local"
NODE = "node-1"
# The defaults, 20 to 50 requests a second, would be what a benchmark measures.
_PACE = ("--kube-api-qps=500", "--kube-api-burst=1000")


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the control plane keeps its files, and its ports on the loopback."""

    folder: Path
    api_port: int
    etcd_port: int
    etcd_peer_port: int

    @property
    def url(self) -> str:
        """Of the API server."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def etcd_url(self) -> str:
        """Of etcd, without TLS."""
        return f"http://127.0.0.1:{self.etcd_port}"

    @property
    def certificate(self) -> Path:
        """The API server's certificate, which it signs and writes itself, with its issuer."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def signing_key(self) -> Path:
        """Signs the tokens of ServiceAccounts."""
        return self.folder / "service-accounts.key"

    @property
    def tokens(self) -> Path:
        """The API server's static tokens."""
        return self.folder / "tokens.csv"

    @property
    def audit_policy(self) -> Path:
        """What the API server tells of."""
        return self.folder / "audit.yaml"

    @property
    def audit_log(self) -> Path:
        """Where it tells it."""
        return self.folder / "logs" / "audit.log"

    @property
    def stages(self) -> Path:
        """KWOK's configuration."""
        return self.folder / "stages.yaml"

    def kubeconfig(self, user: str) -> Path:
        """The kubeconfig of a program, or of the admin."""
        return self.folder / f"{user}.kubeconfig"

    def log(self, program: str) -> Path:
        """The output of a program."""
        return self.folder / "logs" / f"{program}.log"


def arguments(layout: Layout) -> dict[str, list[str]]:
    """The arguments by program, in the order of their start."""
    return {
        "etcd": _etcd(layout),
        "kube-apiserver": _api_server(layout),
        "kube-controller-manager": _controller_manager(layout),
        "kube-scheduler": [
            f"--kubeconfig={layout.kubeconfig('kube-scheduler')}",
            "--leader-elect=false",
            "--secure-port=0",
            *_PACE,
        ],
        "kwok": [
            f"--config={layout.stages}",
            f"--kubeconfig={layout.kubeconfig('kwok')}",
            f"--manage-single-node={NODE}",
            "--node-lease-duration-seconds=40",
            "--cidr=10.244.0.1/16",
            "--node-ip=10.0.0.1",
        ],
    }


def _etcd(layout: Layout) -> list[str]:
    peer = f"http://127.0.0.1:{layout.etcd_peer_port}"
    return [
        "--name=tests",
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={layout.etcd_url}",
        f"--advertise-client-urls={layout.etcd_url}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=tests={peer}",
        # What a killed etcd had not yet written is still in the machine's memory.
        "--unsafe-no-fsync",
        "--log-level=warn",
    ]


def _api_server(layout: Layout) -> list[str]:
    return [
        f"--etcd-servers={layout.etcd_url}",
        "--bind-address=127.0.0.1",
        f"--secure-port={layout.api_port}",
        f"--cert-dir={layout.certificate.parent}",
        # No Endpoints of the Service "kubernetes": an address of the loopback can't be in them.
        "--advertise-address=127.0.0.1",
        "--endpoint-reconciler-type=none",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction,OwnerReferencesPermissionEnforcement",
        f"--service-account-issuer={ISSUER}",
        f"--service-account-key-file={layout.signing_key}",
        f"--service-account-signing-key-file={layout.signing_key}",
        "--service-cluster-ip-range=10.96.0.0/16",
        "--allow-privileged=true",
        f"--audit-policy-file={layout.audit_policy}",
        f"--audit-log-path={layout.audit_log}",
        "--profiling=false",
    ]


def _controller_manager(layout: Layout) -> list[str]:
    return [
        f"--kubeconfig={layout.kubeconfig('kube-controller-manager')}",
        "--leader-elect=false",
        "--secure-port=0",
        "--use-service-account-credentials",
        f"--service-account-private-key-file={layout.signing_key}",
        f"--root-ca-file={layout.certificate}",
        # By default it makes one in /usr/libexec.
        f"--flex-volume-plugin-dir={layout.folder / 'flexvolumes'}",
        # 15 s by default.
        "--horizontal-pod-autoscaler-sync-period=1s",
        "--pvclaimbinder-sync-period=1s",
        *_PACE,
    ]
