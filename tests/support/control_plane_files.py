"""The files that the programs of the control plane read: keys, tokens, kubeconfigs."""

from __future__ import annotations

import base64
import csv
import io
import secrets
from pathlib import Path

import yaml

# An ECPrivateKey (RFC 5915) on P-256 with nothing optional but the curve: the public key follows from it.
_KEY_HEAD = bytes.fromhex("303102010104 20".replace(" ", ""))
_KEY_TAIL = bytes.fromhex("a00a06082a8648ce3d030107")


def signing_key() -> str:
    """A new private key on P-256, as PEM."""
    # Less than the curve's order, whose first four bytes are all ones; and not null.
    number = b"\x7f" + secrets.token_bytes(31)
    text = base64.encodebytes(_KEY_HEAD + number + _KEY_TAIL).decode()
    return f"-----BEGIN EC PRIVATE KEY-----\n{text}-----END EC PRIVATE KEY-----\n"


def token_file(users: dict[str, tuple[str, str]]) -> str:
    """The API server's file of static tokens. users: token and group ("" for none) by user name."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    for user, (token, group) in users.items():
        rows.writerow([token, user, user, *([group] if group else [])])
    return text.getvalue()


def kubeconfig(url: str, certificate: Path, token: str, namespace: str = "default") -> str:
    """A kubeconfig of one cluster and one user, with the certificate in it."""
    data = base64.b64encode(certificate.read_bytes()).decode()
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "tests",
            "clusters": [{"name": "tests", "cluster": {"server": url, "certificate-authority-data": data}}],
            "users": [{"name": "tests", "user": {"token": token}}],
            "contexts": [
                {"name": "tests", "context": {"cluster": "tests", "user": "tests", "namespace": namespace}}
            ],
        }
    )


def write_private(path: Path, text: str) -> Path:
    """Write a file that only its owner reads."""
    path.touch(mode=0o600)
    path.write_text(text)
    return path
