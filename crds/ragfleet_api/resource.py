"""The RAGPipeline object: what a manifest holds and what the API server stores."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, model_validator

from ragfleet_api.base import ApiModel
from ragfleet_api.spec import RAGPipelineSpec
from ragfleet_api.status import NEVER_OBSERVED, RAGPipelineStatus

# Kubernetes takes 52 characters for a CronJob, and for a StatefulSet whose revisions become label values;
# and a collection's default name (namespace of 63, name, fingerprint of 8, two hyphens) fits its 128.
MAX_NAME_LENGTH: Final = 52

# A Service's name is a DNS-1035 label: unlike other names it cannot start with a digit or hold a dot.
PipelineName = Annotated[str, Field(max_length=MAX_NAME_LENGTH, pattern=r"^[a-z]([-a-z0-9]*[a-z0-9])?$")]
NamespaceName = Annotated[str, Field(max_length=63, pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$")]

# The rest of Kubernetes' ObjectMeta, which an exported object carries and which says nothing of the service.
_OTHER_METADATA: Final = frozenset(
    {
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "finalizers",
        "generateName",
        "generation",
        "managedFields",
        "ownerReferences",
        "resourceVersion",
        "selfLink",
        "uid",
    }
)


class Metadata(ApiModel):
    """Who a pipeline is. Other fields of Kubernetes' ObjectMeta are accepted and not kept."""

    name: PipelineName = Field(
        description=(
            "Name of the pipeline and of what is made for it: a lower-case letter, then letters, digits and "
            f"hyphens, {MAX_NAME_LENGTH} characters at most."
        )
    )
    namespace: NamespaceName | None = Field(default=None, description="Namespace of the pipeline.")
    labels: dict[str, str] | None = Field(default=None, description="Labels, to select objects by.")
    annotations: dict[str, str] | None = Field(default=None, description="Annotations, for tools.")

    @model_validator(mode="before")
    @classmethod
    def _drop_other_metadata(cls, value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        return {key: item for key, item in value.items() if key not in _OTHER_METADATA}


class RAGPipeline(ApiModel):
    """A retrieval-augmented generation service."""

    api_version: Literal["ragfleet.dev/v1alpha1"] = Field(description="Version of this object's schema.")
    kind: Literal["RAGPipeline"] = Field(description="Kind of this object.")
    metadata: Metadata = Field(description="Who the pipeline is.")
    spec: RAGPipelineSpec = Field(description="What the pipeline should be.")
    status: RAGPipelineStatus | None = Field(
        default=None,
        json_schema_extra={"default": {"observedGeneration": NEVER_OBSERVED}},
        description="What the operator last saw of the pipeline.",
    )
