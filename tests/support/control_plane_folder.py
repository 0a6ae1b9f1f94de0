"""A new control plane's folder: its ports, users, and the files that are there before it starts."""

from __future__ import annotations

import random
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from support.control_plane_audit import POLICY
from support.control_plane_files import signing_key, token_file, write_private
from support.control_plane_flags import Layout
from support.kwok_stages import stages

# The group by user, "" for none: the API server knows the two others by their names.
USERS: Final[Mapping[str, str]] = {
    "admin": "system:masters",
    "kwok": "system:masters",
    "kube-controller-manager": "",
    "kube-scheduler": "",
}
# Below what the kernel gives to clients, so that a port is still free when its program starts again.
_PORTS = range(20_000, 32_000)


def free_layout(folder: Path) -> Layout:
    """A layout in an empty folder, on ports that are free now. Raises OSError."""
    for name in ("logs", "certificates"):
        (folder / name).mkdir()
    api, etcd, peer = _free_ports(3)
    return Layout(folder, api, etcd, peer)


def write_files(layout: Layout, tokens: Mapping[str, str]) -> None:
    """Write the users, the signing key and the stages. tokens: by user."""
    users = {user if group else f"system:{user}": (tokens[user], group) for user, group in USERS.items()}
    write_private(layout.tokens, token_file(users))
    write_private(layout.signing_key, signing_key())
    layout.stages.write_text(stages())
    layout.audit_policy.write_text(POLICY)
    layout.audit_log.touch()


def _free_ports(count: int) -> list[int]:
    found: list[int] = []
    for port in random.sample(_PORTS, len(_PORTS)):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise OSError("no free ports on the loopback")
