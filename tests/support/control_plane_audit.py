"""What the operator writes, as the API server tells it: its audit log of one namespace's ServiceAccounts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Final

# Where the operator runs; who writes from elsewhere isn't in the log.
AUDITED_NAMESPACE: Final = "ragfleet-system"
POLICY: Final = f"""\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Metadata
  userGroups: ["system:serviceaccounts:{AUDITED_NAMESPACE}"]
  verbs: [create, update, patch, delete, deletecollection]
- level: None
"""


@dataclass(frozen=True, slots=True)
class Write:
    """A write that the API server has answered. resource: as in its path, with the subresource."""

    verb: str
    resource: str
    namespace: str
    name: str
    code: int


def writes(log: Path, start: int = 0) -> list[Write]:
    """The writes in the log from a byte on; ``log.stat().st_size`` is where the next ones begin."""
    with log.open("rb") as file:
        file.seek(start)
        whole = file.read().rpartition(b"\n")[0]
    return [_write(json.loads(line)) for line in whole.splitlines()]


def _write(event: dict[str, dict[str, str | int]]) -> Write:
    to = event["objectRef"]
    resource = "/".join(str(to[part]) for part in ("resource", "subresource") if part in to)
    code = int(event["responseStatus"]["code"])
    return Write(str(event["verb"]), resource, str(to.get("namespace", "")), str(to.get("name", "")), code)
