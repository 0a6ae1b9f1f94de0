"""All children of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from ragfleet_api.config.project import project_auth
from ragfleet_api.config.versions import CURRENT_VERSION
from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT, HPA, Kind
from ragfleet_operator.model import Child, Observation, Pipeline, Ref, Revision, Settings
from ragfleet_operator.render.autoscaler import autoscaler
from ragfleet_operator.render.claim import claim
from ragfleet_operator.render.config_map import config_map
from ragfleet_operator.render.controller_revision import controller_revision
from ragfleet_operator.render.deployment import deployment
from ragfleet_operator.render.disruption_budget import disruption_budget
from ragfleet_operator.render.http_route import http_route
from ragfleet_operator.render.ingress import ingress
from ragfleet_operator.render.network_policy import network_policy
from ragfleet_operator.render.revision import named_image, rendered
from ragfleet_operator.render.secret import secrets
from ragfleet_operator.render.service import services
from ragfleet_operator.render.service_account import service_account
from ragfleet_operator.render.service_monitor import service_monitor


class Placed(Protocol):
    """What has a place among the children."""

    @property
    def kind(self) -> Kind:
        """Its kind."""

    @property
    def name(self) -> str:
        """Its name."""


ChildT = TypeVar("ChildT", bound=Placed)


def render(
    pipeline: Pipeline,
    settings: Settings,
    seen: Observation,
    *,
    new_secret: Callable[[], str],
    revision: Revision | None = None,
    secrets_digest: str = "",
    rotated_at: str = "",
) -> tuple[Child, ...]:
    """The children that should be there, in the order of ``kinds.CHILDREN``.

    new_secret: a whole new key; it is asked only for Secrets that ``seen`` doesn't hold. revision: what pods
    are made of; None for the first, as the specification asks for it. secrets_digest, rotated_at: see
    ``deployment``.
    """
    if revision is None:
        image = named_image(pipeline) or settings.image
        revision = rendered(pipeline, settings, image, CURRENT_VERSION, 1)
    children = (
        service_account(pipeline),
        *secrets(pipeline, project_auth(pipeline.spec, pipeline.key.name), seen, new_secret),
        config_map(pipeline, revision.config),
        claim(pipeline),
        network_policy(pipeline, settings),
        *services(pipeline),
        controller_revision(pipeline, revision),
        deployment(pipeline, revision, secrets_digest, rotated_at),
        autoscaler(pipeline),
        disruption_budget(pipeline),
        ingress(pipeline),
        http_route(pipeline, seen),
        service_monitor(pipeline, seen),
    )
    made = [child for child in children if child is not None]
    return tuple(sorted(made, key=lambda child: CHILDREN.index(child.kind)))


def without_workload(children: Sequence[ChildT], seen: Observation | None = None) -> tuple[ChildT, ...]:
    """All children but the configuration, the revision and the Deployment.

    seen: what is there; where it has no Deployment, an autoscaler would only complain and is left out too.
    """
    left_out = {CONFIG_MAP, CONTROLLER_REVISION, DEPLOYMENT}
    deployments = {Ref(DEPLOYMENT, child.name) for child in children if child.kind == DEPLOYMENT}
    if seen is not None and not deployments & seen.children.keys():
        left_out.add(HPA)
    return tuple(child for child in children if child.kind not in left_out)
