"""How many pods there are, by load."""

from __future__ import annotations

from typing import Any, Final

from ragfleet_api.spec.scaling import (
    DEFAULT_MAX_REPLICAS,
    DEFAULT_MIN_REPLICAS,
    Autoscaling,
    PodsMetric,
    ScalingBehavior,
    ScalingRules,
)
from ragfleet_operator.kinds import DEPLOYMENT, HPA
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.parts import child, some

_DEFAULT_CPU: Final = 70


def bounds(scaling: Autoscaling) -> tuple[int, int]:
    """Fewest and most pods; a bound that is left out gives way to the one that is given."""
    least, most = scaling.min_replicas, scaling.max_replicas
    if least is None:
        least = DEFAULT_MIN_REPLICAS if most is None else min(DEFAULT_MIN_REPLICAS, most)
    return least, max(DEFAULT_MAX_REPLICAS, least) if most is None else most


def autoscaler(pipeline: Pipeline) -> Child | None:
    """The HorizontalPodAutoscaler; None where the pipeline says itself how many pods there are."""
    scaling = pipeline.spec.autoscaling
    if scaling is None:
        return None
    least, most = bounds(scaling)
    spec = {
        "scaleTargetRef": {
            "apiVersion": DEPLOYMENT.api_version,
            "kind": DEPLOYMENT.kind,
            "name": pipeline.key.name,
        },
        "minReplicas": least,
        "maxReplicas": most,
        "metrics": _metrics(scaling),
        **some(behavior=_behavior(scaling.behavior or ScalingBehavior())),
    }
    return child(HPA, pipeline, {"spec": spec})


def _metrics(scaling: Autoscaling) -> list[dict[str, Any]]:
    memory = scaling.target_memory_utilization_percentage
    return [
        _utilization("cpu", scaling.target_cpu_utilization_percentage or _DEFAULT_CPU),
        *([] if memory is None else [_utilization("memory", memory)]),
        *(_pods(metric) for metric in scaling.metrics or ()),
    ]


def _utilization(resource: str, percent: int) -> dict[str, Any]:
    target = {"type": "Utilization", "averageUtilization": percent}
    return {"type": "Resource", "resource": {"name": resource, "target": target}}


def _pods(metric: PodsMetric) -> dict[str, Any]:
    target = {"type": "AverageValue", "averageValue": metric.average_value}
    return {"type": "Pods", "pods": {"metric": {"name": metric.name}, "target": target}}


def _behavior(behavior: ScalingBehavior) -> dict[str, Any]:
    return some(scaleUp=_rules(behavior.scale_up), scaleDown=_rules(behavior.scale_down))


def _rules(rules: ScalingRules | None) -> dict[str, Any] | None:
    if rules is None:
        return None
    policies = [
        {"type": policy.type, "value": policy.value, "periodSeconds": policy.period_seconds}
        for policy in rules.policies or ()
    ]
    return some(stabilizationWindowSeconds=rules.stabilization_window_seconds, policies=policies)
