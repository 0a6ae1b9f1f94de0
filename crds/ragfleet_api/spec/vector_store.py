"""Where chunks are indexed, and how."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.list_map import MapBy
from ragfleet_api.spec.common import HTTPURL, Retries, Seconds, SecretKeyRef, union_rules
from ragfleet_api.spec.kubernetes import ObjectName, Size, above_zero

EngineType = Literal["Embedded", "Qdrant"]
QuantizationType = Literal["Scalar", "Binary"]
DeletionPolicy = Literal["Retain", "Delete"]
MetadataType = Literal["Keyword", "Number", "Bool", "Datetime"]

# What filters can name: the engine's paths know no escape for quotes and backslashes.
MetadataKey = Annotated[str, Field(min_length=1, max_length=256, pattern=r'^[^"\\\x00-\x1f\x7f]+$')]
CollectionName = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
]


class Qdrant(ApiModel):
    """A Qdrant server, shared by all replicas. It must be version 1.18 or newer."""

    url: HTTPURL = Field(description="Address of its REST API, as in http://qdrant.data:6333.")
    api_key_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Its API key. Default: none is sent."
    )
    ca_secret_ref: SecretKeyRef | None = Field(
        default=None,
        description="PEM certificate of a private authority that signed the server's. Needs an https url.",
    )
    timeout_seconds: Seconds | None = Field(
        default=None, description="Longest wait for one answer of the server. Default: 10."
    )
    max_retries: Retries | None = Field(
        default=None,
        description="How often a call that failed on the way is tried again, with growing waits. Default: 3.",
    )
    max_connections: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None, description="Most connections of one replica to the server. Default: 32."
    )
    upsert_batch_size: Annotated[int, Field(ge=1, le=4096)] | None = Field(
        default=None, description="Most points in one write. Default: 256."
    )
    shards: Annotated[int, Field(ge=1, le=64)] | None = Field(
        default=None,
        description=(
            "Shards of the collection, made with it; a change has no effect on one that is there. Default: 1."
        ),
    )
    replication_factor: Annotated[int, Field(ge=1, le=16)] | None = Field(
        default=None,
        description=(
            "Copies of each shard, on as many servers of a Qdrant cluster, made with the collection. "
            "Default: 1."
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.caSecretRef) || self.url.startsWith('https://')",
            message="caSecretRef needs a url that starts with https://",
            field="caSecretRef",
            holds=lambda self: self.ca_secret_ref is None or self.url.startswith("https://"),
        ),
    )


class HNSW(ApiModel):
    """The graph that dense vectors are searched by. A change rebuilds it beside the traffic."""

    m: Annotated[int, Field(ge=4, le=128)] | None = Field(
        default=None, description="Links of each vector: more find better and take more memory. Default: 16."
    )
    ef_construct: Annotated[int, Field(ge=8, le=2048)] | None = Field(
        default=None, description="Candidates looked at for each link when building. Default: 100."
    )
    ef_search: Annotated[int, Field(ge=8, le=2048)] | None = Field(
        default=None,
        description="Candidates looked at when searching, at least retrieval.candidates. Default: 128.",
    )
    on_disk: bool | None = Field(
        default=None,
        description="Keep the graph and the vectors on disk rather than in memory. Default: false.",
    )


class Quantization(ApiModel):
    """Smaller copies of the dense vectors, searched first. A change rebuilds them beside the traffic."""

    type: QuantizationType = Field(
        description="Scalar takes a quarter of the memory (8 bits a number), Binary a thirty-second (1 bit)."
    )
    always_in_memory: bool | None = Field(
        default=None, description="Keep the small copies in memory, wherever the vectors are. Default: true."
    )
    oversampling_percent: Annotated[int, Field(ge=100, le=1000)] | None = Field(
        default=None,
        description="Candidates taken from the small copies before exact scoring, in percent. Default: 200.",
    )


class Optimizer(ApiModel):
    """When the engine builds indexes. A change applies from the next build on."""

    indexing_threshold_kilobytes: Annotated[int, Field(ge=1, le=100_000_000)] | None = Field(
        default=None,
        description="Segments of vectors below this size are searched without a graph. Default: 10000.",
    )
    segments: Annotated[int, Field(ge=0, le=256)] | None = Field(
        default=None, description="Segments aimed at; 0 lets the engine choose. Default: 0."
    )


class MetadataIndex(ApiModel):
    """An index on a metadata key, which makes filters on it fast."""

    key: MetadataKey = Field(description="The metadata key, as filters name it.")
    type: MetadataType = Field(
        description="What its values are: short text, numbers, true and false, or moments (RFC 3339)."
    )


class Index(ApiModel):
    """How the collection is indexed."""

    hnsw: HNSW | None = Field(default=None, description="The graph that dense vectors are searched by.")
    quantization: Quantization | None = Field(
        default=None, description="Smaller copies of the dense vectors, searched first. Default: none."
    )
    optimizer: Optimizer | None = Field(default=None, description="When the engine builds indexes.")
    metadata: Annotated[list[MetadataIndex], Field(max_length=64), MapBy("key")] | None = Field(
        default=None, description="Indexes on metadata keys that filters use."
    )


class Storage(ApiModel):
    """The volume of the embedded engine, in a cluster."""

    size: Size | None = Field(
        default=None,
        description="Its size. It can grow later, where the storage class lets it. Default: 10Gi.",
    )
    storage_class_name: ObjectName | None = Field(
        default=None,
        description="Its storage class, which a volume that is there keeps. Default: the cluster's own.",
    )

    rules: ClassVar[tuple[Rule, ...]] = (above_zero("size"),)


class Embedded(ApiModel):
    """The engine inside the service."""

    storage: Storage | None = Field(default=None, description="The volume of its data, in a cluster.")


class VectorStore(ApiModel):
    """Where chunks are indexed and documents are kept."""

    type: EngineType = Field(
        description=(
            "The engine. Embedded runs inside the service, with its data on local disk; Qdrant is a server."
        )
    )
    qdrant: Qdrant | None = Field(default=None, description="The Qdrant server.")
    embedded: Embedded | None = Field(default=None, description="The engine inside the service.")
    deletion_policy: DeletionPolicy | None = Field(
        default=None,
        description=(
            "What happens to the data of the embedded engine when the pipeline is deleted from a cluster. "
            "Default: Retain."
        ),
    )
    collection: CollectionName | None = Field(
        default=None,
        description="Name of the collection. Default: <namespace>-<name>-<fingerprint of the index>.",
    )
    adopt: bool | None = Field(
        default=None,
        description=(
            "Take over a collection that another pipeline owns. Default: false, such a collection is refused."
        ),
    )
    index: Index | None = Field(default=None, description="How the collection is indexed.")

    rules: ClassVar[tuple[Rule, ...]] = (
        *union_rules({"Qdrant": "qdrant", "Embedded": "embedded"}, optional=frozenset({"Embedded"})),
        Rule(
            cel="!has(self.deletionPolicy) || self.deletionPolicy == 'Retain' || self.type == 'Embedded'",
            message=(
                "deletionPolicy Delete is for type Embedded: a server's collection stays until you delete it "
                "there"
            ),
            field="deletionPolicy",
            holds=lambda self: self.deletion_policy in (None, "Retain") or self.type == "Embedded",
        ),
    )
