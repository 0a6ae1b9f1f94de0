"""Names, labels and annotations that the operator gives to objects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

FIELD_MANAGER: Final = "ragfleet"
# Takes over spec.replicas while it passes from the operator to an autoscaler.
HANDOVER_MANAGER: Final = "ragfleet-handover"

PUBLIC_PORT: Final = 8080
ADMIN_PORT: Final = 8081

NAME_LABEL: Final = "app.kubernetes.io/name"
INSTANCE_LABEL: Final = "app.kubernetes.io/instance"
MANAGED_BY_LABEL: Final = "app.kubernetes.io/managed-by"
COMPONENT_LABEL: Final = "app.kubernetes.io/component"
MANAGED_BY: Final = "ragfleet"
# On every child: whose it is, and what watches select by.
PIPELINE_LABEL: Final = "ragfleet.dev/pipeline"
# On a Secret or ConfigMap that people want watched rather than polled.
WATCH_LABEL: Final = "ragfleet.dev/watch"
# On the pod template: the identity of what is stored, and of the configuration.
FINGERPRINT_ANNOTATION: Final = "ragfleet.dev/query-fingerprint"
CONFIG_ANNOTATION: Final = "ragfleet.dev/config"
# On the pod template and on ControllerRevisions: which revision it is.
REVISION_LABEL: Final = "ragfleet.dev/revision"
# On a ControllerRevision: the hash of what its template was rendered from.
INPUT_ANNOTATION: Final = "ragfleet.dev/input"
# On the pod template: a keyed hash of what the pods read only once of Secrets and ConfigMaps.
SECRETS_ANNOTATION: Final = "ragfleet.dev/secrets"
# On the Deployment: when pods were last rolled because of them.
ROTATED_ANNOTATION: Final = "ragfleet.dev/rotated-at"
# On a pipeline, by people: the revision to serve; see revisions.pin.
PIN_ANNOTATION: Final = "ragfleet.dev/pin-revision"
# On an applied child: the hash of what was last applied.
APPLIED_ANNOTATION: Final = "ragfleet.dev/applied"


def labels(pipeline: str) -> dict[str, str]:
    """Labels of every child."""
    return {**selector(pipeline), MANAGED_BY_LABEL: MANAGED_BY, PIPELINE_LABEL: pipeline}


def selector(pipeline: str) -> dict[str, str]:
    """Labels by which the service's pods are selected: a Deployment's can't change, so these never do."""
    return {NAME_LABEL: "ragfleet", INSTANCE_LABEL: pipeline, COMPONENT_LABEL: "runtime"}


def selector_text(pairs: Mapping[str, str]) -> str:
    """A label selector as the API takes it in a query and in ``status.selector``."""
    return ",".join(f"{name}={value}" for name, value in sorted(pairs.items()))


def admin_secret(pipeline: str) -> str:
    """The Secret with the token of the service's admin port, at the key "token"."""
    return f"{pipeline}-admin"


def admin_service(pipeline: str) -> str:
    """The Service of the admin port, which the operator and scrapers read."""
    return f"{pipeline}-admin"


def data_claim(pipeline: str) -> str:
    """The claim of the embedded engine's data."""
    return f"{pipeline}-data"


def controller_revision(pipeline: str, revision: str) -> str:
    """The ControllerRevision of a revision; ``revision`` is its id."""
    return f"{pipeline}-{revision}"


def config_map(pipeline: str, digest: str) -> str:
    """The ConfigMap of a configuration; ``digest`` is its hash."""
    return f"{pipeline}-config-{digest}"
