"""The model that makes dense vectors."""

from __future__ import annotations

from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.spec.common import FilePath, HubModelName, union_rules
from ragfleet_api.spec.remote import RemoteEmbedding, key_rule

EmbeddingType = Literal["FastEmbed", "SentenceTransformers", "OpenAI", "Cohere"]
Device = Literal["CPU", "CUDA"]
Prefix = Annotated[str, Field(min_length=1, max_length=1000)]

DEFAULT_BATCH_SIZE: Final = 32
COHERE_BATCH_SIZE: Final = 96


class FastEmbed(ApiModel):
    """A model in ONNX form, run inside the service."""

    model: HubModelName = Field(description="Its name, as in sentence-transformers/all-MiniLM-L6-v2.")
    path: FilePath | None = Field(
        default=None,
        description="Folder of its files. Default: it is fetched from the model hub by its name.",
    )
    threads: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None, description="Processor threads of one call. Default: 1."
    )


class SentenceTransformers(ApiModel):
    """A model with safetensors files, run inside the service by PyTorch."""

    model: HubModelName = Field(description="Its name, as in BAAI/bge-m3.")
    path: FilePath | None = Field(
        default=None,
        description="Folder of its files. Default: it is fetched from the model hub by its name.",
    )
    device: Device | None = Field(default=None, description="Where it runs. Default: CPU.")


class EmbeddingOpenAI(RemoteEmbedding):
    """An embedding service that speaks OpenAI's API."""

    rules: ClassVar[tuple[Rule, ...]] = (key_rule("OpenAI"),)


class EmbeddingCohere(RemoteEmbedding):
    """Cohere's embedding service, or a gateway to it."""

    rules: ClassVar[tuple[Rule, ...]] = (key_rule("Cohere"),)


class Embedding(ApiModel):
    """The model that makes dense vectors. A change needs a new index, unless it is said otherwise."""

    type: EmbeddingType = Field(description="Who runs the model.")
    fast_embed: FastEmbed | None = Field(
        default=None, description="A model in ONNX form, run inside the service."
    )
    sentence_transformers: SentenceTransformers | None = Field(
        default=None, description="A model run inside the service by PyTorch."
    )
    open_ai: EmbeddingOpenAI | None = Field(
        default=None, alias="openAI", description="A service that speaks OpenAI's API."
    )
    cohere: EmbeddingCohere | None = Field(default=None, description="Cohere's service.")
    dimensions: Annotated[int, Field(ge=1, le=65_536)] | None = Field(
        default=None,
        description=(
            "Numbers in a vector; another count is an error. OpenAI and Cohere are asked for that many. "
            "Default: what the model gives."
        ),
    )
    query_prefix: Prefix | None = Field(
        default=None, description="Put before each question. Default: nothing."
    )
    document_prefix: Prefix | None = Field(
        default=None, description="Put before each chunk. Default: nothing."
    )
    normalize: bool | None = Field(
        default=None,
        description=(
            "Scale vectors to length 1, so that scores are cosines; false scores by dot product. "
            "Default: true."
        ),
    )
    batch_size: Annotated[int, Field(ge=1, le=2048)] | None = Field(
        default=None,
        description=(
            f"Most texts in one call; needs no new index. Default: {DEFAULT_BATCH_SIZE}; "
            f"{COHERE_BATCH_SIZE}, which is also the most, with Cohere."
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        *union_rules(
            {
                "FastEmbed": "fastEmbed",
                "SentenceTransformers": "sentenceTransformers",
                "OpenAI": "openAI",
                "Cohere": "cohere",
            }
        ),
        Rule(
            cel=f"self.type != 'Cohere' || !has(self.batchSize) || self.batchSize <= {COHERE_BATCH_SIZE}",
            message=(
                f"batchSize must be at most {COHERE_BATCH_SIZE} with Cohere, which takes no more at once"
            ),
            field="batchSize",
            holds=lambda self: (
                self.type != "Cohere" or self.batch_size is None or self.batch_size <= COHERE_BATCH_SIZE
            ),
        ),
    )
