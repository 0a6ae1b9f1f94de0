"""Where the programs of the control plane are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

BUILT = Path(__file__).resolve().parents[2] / ".control-plane" / "bin"
PROGRAMS = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl", "kwok")
# What setup-envtest puts into its folder.
_ASSETS = ("etcd", "kube-apiserver", "kubectl")


class MissingProgramsError(Exception):
    """Programs of the control plane aren't on this machine; the message says how to get them."""


def find_programs(environment: Mapping[str, str] | None = None, built: Path = BUILT) -> dict[str, Path]:
    """The path of every program: from ``KUBEBUILDER_ASSETS`` where it has it, else as built.

    Raises MissingProgramsError.
    """
    assets = (os.environ if environment is None else environment).get("KUBEBUILDER_ASSETS", "")
    paths = {name: built / name for name in PROGRAMS}
    if assets:
        given = {name: Path(assets) / name for name in _ASSETS}
        paths |= {name: path for name, path in given.items() if path.is_file()}
    missing = [name for name, path in paths.items() if not path.is_file()]
    if missing:
        raise MissingProgramsError(
            f"no {', '.join(missing)}: run make control-plane, which needs Go 1.26 or newer"
        )
    return paths
