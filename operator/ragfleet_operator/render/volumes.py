"""What is mounted into the service's container."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.spec.runtime import CABundle, Models, Runtime
from ragfleet_operator import names
from ragfleet_operator.model import Pipeline
from ragfleet_operator.render.config_map import CONFIG_FILE
from ragfleet_operator.render.parts import some
from ragfleet_operator.render.references import service_refs
from ragfleet_operator.render.secret import ADMIN_TOKEN

CONFIG_PATH: Final = f"/etc/ragfleet/{CONFIG_FILE}"
SECRETS_FOLDER: Final = "/etc/ragfleet/secrets"
DATA_FOLDER: Final = "/var/lib/ragfleet"
MODELS_FOLDER: Final = "/models"
TEMPORARY_FOLDER: Final = "/tmp"  # noqa: S108 - a volume of the pod's own
_CA_FOLDER: Final = "/etc/ragfleet/ca"
_CA_FILE: Final = "ca.crt"
CA_PATH: Final = f"{_CA_FOLDER}/{_CA_FILE}"

_TEMPORARY_SIZE: Final = "2Gi"
# With a server there is no data, but models that are fetched from their hub lie there too.
_DATA_SIZE: Final = "20Gi"
_GROUP_MAY_READ: Final = 0o440


@dataclass(frozen=True, slots=True)
class Mounted:
    """A volume, and where it is mounted."""

    volume: dict[str, Any]
    mount: dict[str, Any]


def mounted(pipeline: Pipeline, config: RuntimeConfig, digest: str) -> tuple[Mounted, ...]:
    """All volumes of a pod. digest: of the configuration as it is mounted."""
    runtime = pipeline.spec.runtime or Runtime()
    return (
        _config(pipeline, digest),
        _data(pipeline),
        _mounted("tmp", {"emptyDir": {"sizeLimit": _TEMPORARY_SIZE}}, TEMPORARY_FOLDER),
        *_secrets(_entries(pipeline, config)),
        *_models(runtime.models),
        *_certificates(runtime.ca_bundle),
    )


def _mounted(name: str, source: dict[str, Any], path: str, **how: Any) -> Mounted:
    return Mounted({"name": name, **source}, {"name": name, "mountPath": path, **how})


def _config(pipeline: Pipeline, digest: str) -> Mounted:
    name = names.config_map(pipeline.key.name, digest)
    source = {"configMap": {"name": name, "defaultMode": _GROUP_MAY_READ}}
    # The file alone: other volumes are mounted beside it. It never changes, so a link isn't missed.
    return _mounted("config", source, CONFIG_PATH, subPath=CONFIG_FILE, readOnly=True)


def _data(pipeline: Pipeline) -> Mounted:
    if pipeline.spec.vector_store.type == "Embedded":
        source: dict[str, Any] = {"persistentVolumeClaim": {"claimName": names.data_claim(pipeline.key.name)}}
    else:
        source = {"emptyDir": {"sizeLimit": _DATA_SIZE}}
    return _mounted("data", source, DATA_FOLDER)


def _entries(pipeline: Pipeline, config: RuntimeConfig) -> Mapping[str, frozenset[str] | None]:
    """The entries of each Secret that the service reads; None for all of them."""
    entries: dict[str, frozenset[str] | None] = {
        names.admin_secret(pipeline.key.name): frozenset({ADMIN_TOKEN})
    }
    for _, ref in service_refs(pipeline.spec):
        entries[ref.name] = (entries.get(ref.name) or frozenset()) | {ref.key}
    if config.auth.required:
        entries[config.auth.secret] = None
    return entries


def _secrets(entries: Mapping[str, frozenset[str] | None]) -> Iterator[Mounted]:
    # By number: a Secret's name can be longer than a volume's, and hold dots.
    for number, name in enumerate(sorted(entries)):
        items = [{"key": key, "path": key} for key in sorted(entries[name] or ())]
        source = {"secret": {"secretName": name, "defaultMode": _GROUP_MAY_READ, **some(items=items)}}
        yield _mounted(f"secret-{number}", source, f"{SECRETS_FOLDER}/{name}", readOnly=True)


def _models(models: Models | None) -> Iterator[Mounted]:
    if models is None:
        return
    if models.persistent_volume_claim is not None:
        claim = {"claimName": models.persistent_volume_claim.claim_name, "readOnly": True}
        yield _mounted("models", {"persistentVolumeClaim": claim}, MODELS_FOLDER, readOnly=True)
    if models.image is not None:
        image = some(reference=models.image.reference, pullPolicy=models.image.pull_policy)
        yield _mounted("models", {"image": image}, MODELS_FOLDER, readOnly=True)


def _certificates(bundle: CABundle | None) -> Iterator[Mounted]:
    if bundle is None:
        return
    items = [{"key": bundle.key, "path": _CA_FILE}]
    source = {"configMap": {"name": bundle.config_map_name, "defaultMode": _GROUP_MAY_READ, "items": items}}
    yield _mounted("ca", source, _CA_FOLDER, readOnly=True)
