"""The status of a RAGPipeline, version v1alpha1.

``observedGeneration`` and the conditions follow the conventions that kstatus reads
(https://github.com/kubernetes-sigs/cli-utils/blob/master/pkg/kstatus/README.md).
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel
from ragfleet_api.list_map import MapBy

# Before the operator has seen an object its status says a generation that none has, so that no tool takes
# "nothing written yet" for "ready".
NEVER_OBSERVED: Final = -1

Count = Annotated[int, Field(ge=0, json_schema_extra={"format": "int32"})]
Total = Annotated[int, Field(ge=0)]
# Ten hex digits of a hash; the bound leaves room for a longer one.
RevisionId = Annotated[str, Field(min_length=1, max_length=63)]


class Condition(ApiModel):
    """One aspect of the pipeline's state, in the shape and bounds of Kubernetes' metav1.Condition."""

    type: Annotated[
        str,
        Field(
            max_length=316,
            pattern=(
                r"^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*/)?"
                r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])$"
            ),
        ),
    ] = Field(description="What the condition is about, in CamelCase.")
    status: Literal["True", "False", "Unknown"] = Field(description="Whether it holds.")
    observed_generation: Annotated[int, Field(ge=0)] | None = Field(
        default=None, description="The metadata.generation that the condition was set for."
    )
    last_transition_time: str = Field(
        json_schema_extra={"format": "date-time"},
        description="When the status last changed from one value to another (RFC 3339).",
    )
    reason: Annotated[
        str, Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$")
    ] = Field(description="Why, in one CamelCase word for programs.")
    message: Annotated[str, Field(max_length=32768)] = Field(description="Why, for people: what to change.")


class RuntimeStatus(ApiModel):
    """The service's pods."""

    replicas: Annotated[str, Field(max_length=32)] | None = Field(
        default=None, description="Copies that are ready, of those that should be, as in 2/3."
    )
    image: Annotated[str, Field(max_length=1024)] | None = Field(
        default=None, description="The image that they run."
    )


class IndexStatus(ApiModel):
    """What is indexed, as the service last told."""

    collection: Annotated[str, Field(max_length=128)] | None = Field(
        default=None, description="Name of the collection."
    )
    documents: Total | None = Field(default=None, description="Documents in it.")
    chunks: Total | None = Field(default=None, description="Passages that they are cut into.")
    stale_documents: Total | None = Field(
        default=None, description="Documents that were cut with other settings, until they are sent again."
    )


class RejectedRevision(ApiModel):
    """A revision that failed and was rolled back. It isn't tried again until the spec or the pin changes."""

    revision: RevisionId = Field(description="Which.")
    generation: Annotated[int, Field(ge=0)] = Field(
        description="The metadata.generation that it was made for."
    )
    reason: Annotated[str, Field(min_length=1, max_length=1024)] = Field(
        description="What its pods failed of, in one CamelCase word for programs."
    )
    message: Annotated[str, Field(max_length=4096)] = Field(description="The same for people.")
    pin: Annotated[str, Field(max_length=253)] | None = Field(
        default=None,
        description="The annotation ragfleet.dev/pin-revision as it was then. Default: there was none.",
    )


class RevisionsStatus(ApiModel):
    """Which revisions count. Each is a ControllerRevision, named <pipeline>-<revision>."""

    current: RevisionId | None = Field(default=None, description="The one that the pods are told to run.")
    last_good: RevisionId | None = Field(
        default=None, description="The last that ran with all its copies; what a rollback goes to."
    )
    pinned: RevisionId | None = Field(
        default=None, description="The one that people chose by the annotation ragfleet.dev/pin-revision."
    )
    rejected: RejectedRevision | None = Field(default=None, description="The one that was rolled back.")


class RAGPipelineStatus(ApiModel):
    """What the operator last saw of a pipeline."""

    observed_generation: Annotated[int, Field(ge=NEVER_OBSERVED)] | None = Field(
        default=None,
        description=f"The metadata.generation that this status describes; {NEVER_OBSERVED} before the first.",
    )
    conditions: Annotated[list[Condition], Field(max_length=32), MapBy("type")] | None = Field(
        default=None, description="Ready sums up the others."
    )
    endpoint: Annotated[str, Field(max_length=2048)] | None = Field(
        default=None, description="URL of the service inside the cluster."
    )
    model: Annotated[str, Field(max_length=256)] | None = Field(
        default=None, description="Model that writes the answers, or Extractive."
    )
    runtime: RuntimeStatus | None = Field(default=None, description="The service's pods.")
    index: IndexStatus | None = Field(
        default=None, description="What is indexed, written once a minute at most."
    )
    revisions: RevisionsStatus | None = Field(default=None, description="Which revisions count.")
    replicas: Count | None = Field(default=None, description="Copies of the service that exist.")
    ready_replicas: Count | None = Field(default=None, description="Copies of the service that are ready.")
    selector: Annotated[str, Field(max_length=2048)] | None = Field(
        default=None, description="Label selector of the service's pods, for the scale subresource."
    )
