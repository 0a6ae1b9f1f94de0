"""Models and their providers, with defaults resolved."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_api.spec.embedding import Device

# What a request calls the limit of an answer.
MaxTokensName = Literal["max_tokens", "max_completion_tokens"]


class FastEmbedConfig(ApiModel):
    """An ONNX model run inside the service."""

    type: Literal["FastEmbed"] = "FastEmbed"
    model: str
    path: str | None
    threads: int


class SentenceTransformersConfig(ApiModel):
    """A PyTorch model run inside the service."""

    type: Literal["SentenceTransformers"] = "SentenceTransformers"
    model: str
    path: str | None
    device: Device


class RemoteEmbeddingConfig(ApiModel):
    """An embedding service and how it is called."""

    type: Literal["OpenAI", "Cohere"]
    model: str
    base_url: str
    api_key: SecretKeyRef | None
    timeout_seconds: int
    max_retries: int
    max_concurrency: int


EmbeddingProvider = Annotated[
    FastEmbedConfig | SentenceTransformersConfig | RemoteEmbeddingConfig, Field(discriminator="type")
]


class EmbeddingConfig(ApiModel):
    """The embedding model with defaults resolved."""

    provider: EmbeddingProvider
    dimensions: int | None
    query_prefix: str
    document_prefix: str
    normalize: bool
    batch_size: int


class ExtractiveConfig(ApiModel):
    """The extractive generator."""

    type: Literal["Extractive"] = "Extractive"
    name: str
    max_sentences: int


class OpenAIConfig(ApiModel):
    """A model behind OpenAI's chat API."""

    type: Literal["OpenAI"] = "OpenAI"
    name: str
    model: str
    base_url: str
    api_key: SecretKeyRef | None
    max_tokens_parameter: MaxTokensName


class AnthropicConfig(ApiModel):
    """A model behind Anthropic's Messages API."""

    type: Literal["Anthropic"] = "Anthropic"
    name: str
    model: str
    base_url: str
    api_key: SecretKeyRef | None


GeneratorConfig = Annotated[ExtractiveConfig | OpenAIConfig | AnthropicConfig, Field(discriminator="type")]


class PromptConfig(ApiModel):
    """What models are told and may use."""

    system_prompt: str | None
    temperature: float | None
    max_output_tokens: int
    language: str | None
    context_tokens: int
    tokenizer_path: str | None


class GenerationConfig(ApiModel):
    """Generation with defaults resolved: ``generators`` are tried in their order."""

    generators: tuple[GeneratorConfig, ...]
    prompt: PromptConfig
    no_answer: str
