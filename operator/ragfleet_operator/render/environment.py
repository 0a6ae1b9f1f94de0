"""The variables of the service's environment."""

from __future__ import annotations

from typing import Any

from ragfleet_api.spec.runtime import EnvVar, Runtime
from ragfleet_operator.render.parts import some
from ragfleet_operator.render.volumes import CA_PATH, TEMPORARY_FOLDER


def environment(runtime: Runtime) -> list[dict[str, Any]]:
    """The variables in the order of their names. Those that the pipeline gives win over ours."""
    # The user of the pods has no home, and the image's files can't be written.
    ours: dict[str, dict[str, Any]] = {"HOME": {"name": "HOME", "value": TEMPORARY_FOLDER}}
    if runtime.ca_bundle is not None:
        ours["SSL_CERT_FILE"] = {"name": "SSL_CERT_FILE", "value": CA_PATH}
    given = {variable.name: _variable(variable) for variable in runtime.env or ()}
    variables = {**ours, **given}
    return [variables[name] for name in sorted(variables)]


def _variable(variable: EnvVar) -> dict[str, Any]:
    ref = variable.secret_key_ref
    if ref is not None:
        return {"name": variable.name, "valueFrom": {"secretKeyRef": {"name": ref.name, "key": ref.key}}}
    return some(name=variable.name, value=variable.value)
