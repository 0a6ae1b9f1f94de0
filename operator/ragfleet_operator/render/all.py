"""All children of a pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ragfleet_api.config.fingerprints import query_fingerprint
from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, DEPLOYMENT, HPA
from ragfleet_operator.model import Child, Observation, Pipeline, Ref, Settings
from ragfleet_operator.render.autoscaler import autoscaler
from ragfleet_operator.render.claim import claim
from ragfleet_operator.render.config_map import config_map
from ragfleet_operator.render.deployment import deployment
from ragfleet_operator.render.disruption_budget import disruption_budget
from ragfleet_operator.render.http_route import http_route
from ragfleet_operator.render.ingress import ingress
from ragfleet_operator.render.network_policy import network_policy
from ragfleet_operator.render.secret import secrets
from ragfleet_operator.render.service import services
from ragfleet_operator.render.service_account import service_account
from ragfleet_operator.render.service_monitor import service_monitor


def render(
    pipeline: Pipeline, settings: Settings, seen: Observation, *, new_secret: Callable[[], str]
) -> tuple[Child, ...]:
    """The children that should be there, in the order of ``kinds.CHILDREN``.

    new_secret: a whole new key; it is asked only for Secrets that ``seen`` doesn't hold.
    """
    config = config_of(pipeline, settings)
    children = (
        service_account(pipeline),
        *secrets(pipeline, config, seen, new_secret),
        config_map(pipeline, config),
        claim(pipeline),
        network_policy(pipeline, settings),
        *services(pipeline),
        deployment(pipeline, settings, config),
        autoscaler(pipeline),
        disruption_budget(pipeline),
        ingress(pipeline, config),
        http_route(pipeline, seen),
        service_monitor(pipeline, seen),
    )
    made = [child for child in children if child is not None]
    return tuple(sorted(made, key=lambda child: CHILDREN.index(child.kind)))


def without_workload(children: Sequence[Child], seen: Observation | None = None) -> tuple[Child, ...]:
    """All children but the configuration and the Deployment.

    seen: what is there; where it has no Deployment, an autoscaler would only complain and is left out too.
    """
    left_out = {CONFIG_MAP, DEPLOYMENT}
    deployments = {Ref(DEPLOYMENT, child.name) for child in children if child.kind == DEPLOYMENT}
    if seen is not None and not deployments & seen.children.keys():
        left_out.add(HPA)
    return tuple(child for child in children if child.kind not in left_out)


def config_of(pipeline: Pipeline, settings: Settings) -> RuntimeConfig:
    """The configuration of the pipeline's service."""
    owner = Owner(
        cluster=settings.cluster,
        namespace=pipeline.key.namespace,
        name=pipeline.key.name,
        uid=pipeline.uid,
    )
    return project(pipeline.spec, owner)


def query_fingerprint_of(pipeline: Pipeline, settings: Settings) -> str:
    """Identity of what the pipeline's stored vectors depend on (8 hex digits)."""
    config = config_of(pipeline, settings)
    return query_fingerprint(config.retrieval.sparse, config.embedding)
