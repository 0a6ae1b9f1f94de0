"""How many pods there are, by load."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.list_map import MapBy
from ragfleet_api.spec.kubernetes import Quantity, above_zero

Percent = Annotated[int, Field(ge=1, le=1000)]
Window = Annotated[int, Field(ge=0, le=3600)]

DEFAULT_MIN_REPLICAS = 2
DEFAULT_MAX_REPLICAS = 10


class PodsMetric(ApiModel):
    """A metric of the pods, served by the cluster's custom metrics API."""

    name: Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z_:][A-Za-z0-9_:/.-]*$")] = (
        Field(description="The metric's name.")
    )
    average_value: Quantity = Field(description="Its value for each pod that is aimed at.")

    rules: ClassVar[tuple[Rule, ...]] = (above_zero("averageValue"),)


class ScalingPolicy(ApiModel):
    """The most that may change within a time."""

    type: Literal["Pods", "Percent"] = Field(description="Whether value counts pods or percent of them.")
    value: Annotated[int, Field(ge=1, le=1000)] = Field(description="How many.")
    period_seconds: Annotated[int, Field(ge=1, le=1800)] = Field(description="Within which time.")


class ScalingRules(ApiModel):
    """How fast the number of pods changes in one direction."""

    stabilization_window_seconds: Window | None = Field(
        default=None,
        description="How long, in seconds, a recommendation must hold. Default: 0 for up, 300 for down.",
    )
    policies: Annotated[list[ScalingPolicy], Field(min_length=1, max_length=4)] | None = Field(
        default=None, description="The most that may change. Default: Kubernetes' own."
    )


class ScalingBehavior(ApiModel):
    """How fast the number of pods changes."""

    scale_up: ScalingRules | None = Field(default=None, description="Growing.")
    scale_down: ScalingRules | None = Field(default=None, description="Shrinking.")


class Autoscaling(ApiModel):
    """A HorizontalPodAutoscaler for the service."""

    min_replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description=f"Fewest pods. Default: {DEFAULT_MIN_REPLICAS}, or maxReplicas where that is less.",
    )
    max_replicas: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description=f"Most pods. Default: {DEFAULT_MAX_REPLICAS}, or minReplicas where that is more.",
    )
    target_cpu_utilization_percentage: Percent | None = Field(
        default=None,
        description="Mean CPU aimed at, in percent of what pods ask for. Default: 70.",
        alias="targetCPUUtilizationPercentage",
    )
    target_memory_utilization_percentage: Percent | None = Field(
        default=None,
        description="Mean memory aimed at, in percent of what pods ask for. Default: memory doesn't count.",
    )
    metrics: Annotated[list[PodsMetric], Field(max_length=8), MapBy("name")] | None = Field(
        default=None, description="Custom metrics of the pods that count too."
    )
    behavior: ScalingBehavior | None = Field(default=None, description="How fast the number of pods changes.")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.minReplicas) || !has(self.maxReplicas) || self.minReplicas <= self.maxReplicas",
            message="minReplicas must not be more than maxReplicas",
            field="minReplicas",
            holds=lambda self: (
                self.min_replicas is None
                or self.max_replicas is None
                or self.min_replicas <= self.max_replicas
            ),
        ),
    )
