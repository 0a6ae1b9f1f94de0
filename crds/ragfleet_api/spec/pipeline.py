"""The specification of a RAGPipeline, version v1alpha1."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.spec.auth import Auth
from ragfleet_api.spec.chunking import Chunking
from ragfleet_api.spec.embedding import Embedding
from ragfleet_api.spec.generation import Generation
from ragfleet_api.spec.limits import Ingestion, Requests
from ragfleet_api.spec.network import Exposure, Monitoring, NetworkPolicy
from ragfleet_api.spec.retrieval import Retrieval
from ragfleet_api.spec.runtime import Runtime
from ragfleet_api.spec.scaling import Autoscaling
from ragfleet_api.spec.upgrade import Upgrade
from ragfleet_api.spec.vector_store import VectorStore

_RESOURCES: Final = "self.runtime.resources"
_DEFAULTS_KEPT: Final = (
    f"!has(self.autoscaling) || !has(self.runtime) || !has({_RESOURCES}) || !has({_RESOURCES}.requests)"
)


def _asks_for(self: RAGPipelineSpec, resource: str) -> bool:
    """Whether pods ask for a resource; one that is limited is asked for. The default limit is of memory."""
    resources = None if self.runtime is None else self.runtime.resources
    if resources is None or resources.requests is None:
        return True
    limits = {"memory"} if resources.limits is None else resources.limits.keys()
    return resource in resources.requests or resource in limits


class RAGPipelineSpec(ApiModel):
    """What a pipeline should be."""

    vector_store: VectorStore = Field(description="Where chunks are indexed and documents are kept.")
    embedding: Embedding | None = Field(
        default=None, description="The model that makes dense vectors. Default: none, BM25 alone."
    )
    chunking: Chunking | None = Field(default=None, description="How documents are cut into passages.")
    retrieval: Retrieval | None = Field(default=None, description="How passages are found.")
    generation: Generation = Field(description="How answers are made from the passages found.")
    ingestion: Ingestion | None = Field(default=None, description="Limits of what is taken in.")
    requests: Requests | None = Field(default=None, description="Limits of answering a request.")
    auth: Auth | None = Field(default=None, description="Who may call the service.")
    runtime: Runtime | None = Field(default=None, description="How the service's pods run.")
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Copies of the service. Default: 1."
    )
    autoscaling: Autoscaling | None = Field(
        default=None, description="Copies of the service by load. Default: none, replicas says how many."
    )
    exposure: Exposure | None = Field(
        default=None, description="How clients outside the cluster reach the service. Default: they can't."
    )
    network_policy: NetworkPolicy | None = Field(
        default=None, description="Who may call the service's pods, and whom they may call."
    )
    monitoring: Monitoring | None = Field(default=None, description="How the service's metrics are read.")
    upgrade: Upgrade | None = Field(default=None, description="How a change reaches the service's pods.")
    suspend: bool | None = Field(
        default=None,
        description="Leave everything that was made as it is, until this is taken away. Default: false.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.autoscaling) || !has(self.replicas)",
            message="give replicas or autoscaling, one of them",
            field="replicas",
            holds=lambda self: self.autoscaling is None or self.replicas is None,
        ),
        Rule(
            cel="!has(self.autoscaling) || self.vectorStore.type != 'Embedded'",
            message="autoscaling is not for the Embedded engine: its data belongs to one process",
            field="autoscaling",
            holds=lambda self: self.autoscaling is None or self.vector_store.type != "Embedded",
        ),
        Rule(
            cel=(
                f"{_DEFAULTS_KEPT} || 'cpu' in {_RESOURCES}.requests || "
                f"has({_RESOURCES}.limits) && 'cpu' in {_RESOURCES}.limits"
            ),
            message=("autoscaling counts CPU by what pods ask for: add cpu to runtime.resources.requests"),
            field="runtime",
            holds=lambda self: self.autoscaling is None or _asks_for(self, "cpu"),
        ),
        Rule(
            cel=(
                f"{_DEFAULTS_KEPT} || !has(self.autoscaling.targetMemoryUtilizationPercentage) || "
                f"'memory' in {_RESOURCES}.requests || !has({_RESOURCES}.limits) || "
                f"'memory' in {_RESOURCES}.limits"
            ),
            message=(
                "targetMemoryUtilizationPercentage is of what pods ask for: add memory to "
                "runtime.resources.requests"
            ),
            field="runtime",
            holds=lambda self: (
                self.autoscaling is None
                or self.autoscaling.target_memory_utilization_percentage is None
                or _asks_for(self, "memory")
            ),
        ),
        Rule(
            cel="self.vectorStore.type != 'Embedded' || !has(self.replicas) || self.replicas <= 1",
            message="replicas must be 0 or 1 with the Embedded engine: its data belongs to one process",
            field="replicas",
            holds=lambda self: (
                self.vector_store.type != "Embedded" or self.replicas is None or self.replicas <= 1
            ),
        ),
        Rule(
            cel=(
                "has(self.embedding) || !has(self.retrieval) || !has(self.retrieval.mode) || "
                "self.retrieval.mode == 'Sparse'"
            ),
            message="retrieval.mode Dense and Hybrid need an embedding",
            field="retrieval",
            holds=lambda self: (
                self.embedding is not None
                or self.retrieval is None
                or self.retrieval.mode in (None, "Sparse")
            ),
        ),
        Rule(
            cel=(
                "has(self.embedding) || !has(self.retrieval) || "
                "!(has(self.retrieval.candidates) || has(self.retrieval.fusion) || "
                "has(self.retrieval.whenEmbeddingFails))"
            ),
            message=(
                "retrieval.candidates, fusion and whenEmbeddingFails have no effect without an embedding: "
                "add one, or take them away"
            ),
            field="retrieval",
            holds=lambda self: (
                self.embedding is not None
                or self.retrieval is None
                or (
                    self.retrieval.candidates is None
                    and self.retrieval.fusion is None
                    and self.retrieval.when_embedding_fails is None
                )
            ),
        ),
        Rule(
            cel=(
                "has(self.embedding) || !has(self.vectorStore.index) || "
                "!(has(self.vectorStore.index.hnsw) || has(self.vectorStore.index.quantization))"
            ),
            message=(
                "vectorStore.index.hnsw and quantization have no effect without an embedding: "
                "add one, or take them away"
            ),
            field="vectorStore",
            holds=lambda self: (
                self.embedding is not None
                or self.vector_store.index is None
                or (self.vector_store.index.hnsw is None and self.vector_store.index.quantization is None)
            ),
        ),
    )
