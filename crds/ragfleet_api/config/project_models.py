"""The part of the projection that concerns models."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from ragfleet_api.config.defaults import default
from ragfleet_api.config.models import (
    AnthropicConfig,
    EmbeddingConfig,
    ExtractiveConfig,
    FastEmbedConfig,
    GenerationConfig,
    GeneratorConfig,
    MaxTokensName,
    OpenAIConfig,
    PromptConfig,
    RemoteEmbeddingConfig,
    SentenceTransformersConfig,
)
from ragfleet_api.spec.embedding import COHERE_BATCH_SIZE, DEFAULT_BATCH_SIZE, Embedding
from ragfleet_api.spec.generation import (
    Extractive,
    Generation,
    GenerationFallback,
    GenerationOpenAI,
    MaxTokensParameter,
)
from ragfleet_api.spec.remote import RemoteEmbedding

NO_ANSWER: Final = "I can't find that in the documents."
OPENAI_URL: Final = "https://api.openai.com/v1"
ANTHROPIC_URL: Final = "https://api.anthropic.com"
COHERE_URL: Final = "https://api.cohere.com"

_MAX_TOKENS_NAMES: Final[Mapping[MaxTokensParameter, MaxTokensName]] = {
    "MaxTokens": "max_tokens",
    "MaxCompletionTokens": "max_completion_tokens",
}


def project_embedding(embedding: Embedding | None) -> EmbeddingConfig | None:
    """The embedding model's configuration, or None where there is none."""
    if embedding is None:
        return None
    return EmbeddingConfig(
        provider=_embedding_provider(embedding),
        dimensions=embedding.dimensions,
        query_prefix=default(embedding.query_prefix, ""),
        document_prefix=default(embedding.document_prefix, ""),
        normalize=default(embedding.normalize, True),
        batch_size=default(
            embedding.batch_size, COHERE_BATCH_SIZE if embedding.cohere is not None else DEFAULT_BATCH_SIZE
        ),
    )


def _embedding_provider(
    embedding: Embedding,
) -> FastEmbedConfig | SentenceTransformersConfig | RemoteEmbeddingConfig:
    if (local := embedding.fast_embed) is not None:
        return FastEmbedConfig(model=local.model, path=local.path, threads=default(local.threads, 1))
    if (torch := embedding.sentence_transformers) is not None:
        return SentenceTransformersConfig(
            model=torch.model, path=torch.path, device=default(torch.device, "CPU")
        )
    if embedding.open_ai is not None:
        return _remote("OpenAI", embedding.open_ai, OPENAI_URL)
    if embedding.cohere is not None:
        return _remote("Cohere", embedding.cohere, COHERE_URL)
    raise ValueError(f"embedding of type {embedding.type} without its section")  # the rules exclude it


def _remote(
    type_: Literal["OpenAI", "Cohere"], section: RemoteEmbedding, address: str
) -> RemoteEmbeddingConfig:
    return RemoteEmbeddingConfig(
        type=type_,
        model=section.model,
        base_url=default(section.base_url, address),
        api_key=section.api_key_secret_ref,
        timeout_seconds=default(section.timeout_seconds, 30),
        max_retries=default(section.max_retries, 2),
        max_concurrency=default(section.max_concurrency, 4),
    )


def project_generation(generation: Generation) -> GenerationConfig:
    """The generators in the order in which they are tried, and what the models among them are told."""
    temperature = generation.temperature
    return GenerationConfig(
        generators=(
            _generator(generation, generation.type.lower()),
            *(_generator(fallback, fallback.name) for fallback in generation.fallbacks or ()),
        ),
        prompt=PromptConfig(
            system_prompt=generation.system_prompt,
            temperature=None if temperature is None else float(temperature),
            max_output_tokens=default(generation.max_output_tokens, 800),
            language=generation.language,
            context_tokens=default(generation.context_tokens, 6000),
            tokenizer_path=generation.tokenizer_path,
        ),
        no_answer=default(generation.no_answer, NO_ANSWER),
    )


def _generator(section: Generation | GenerationFallback, name: str) -> GeneratorConfig:
    if section.open_ai is not None:
        return _chat(section.open_ai, name)
    if (messages := section.anthropic) is not None:
        return AnthropicConfig(
            name=name,
            model=messages.model,
            base_url=default(messages.base_url, ANTHROPIC_URL),
            api_key=messages.api_key_secret_ref,
        )
    extractive = section.extractive or Extractive()
    return ExtractiveConfig(name=name, max_sentences=default(extractive.max_sentences, 3))


def _chat(chat: GenerationOpenAI, name: str) -> OpenAIConfig:
    address = default(chat.base_url, OPENAI_URL)
    # OpenAI's newer models refuse max_tokens; many servers of others know nothing else.
    own: MaxTokensParameter = "MaxCompletionTokens" if address.rstrip("/") == OPENAI_URL else "MaxTokens"
    return OpenAIConfig(
        name=name,
        model=chat.model,
        base_url=address,
        api_key=chat.api_key_secret_ref,
        max_tokens_parameter=_MAX_TOKENS_NAMES[default(chat.max_tokens_parameter, own)],
    )
