"""The pipeline's embedding model, from its configuration."""

from __future__ import annotations

import os
from importlib.util import find_spec

from ragfleet_api.config.models import (
    EmbeddingConfig,
    FastEmbedConfig,
    RemoteEmbeddingConfig,
    SentenceTransformersConfig,
)
from ragfleet_api.spec.embedding import COHERE_BATCH_SIZE
from ragfleet_runtime.embed.local import LocalEmbedder
from ragfleet_runtime.embed.model import Embedding, LocalModel
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.secrets import SecretSource


def open_embedding(config: EmbeddingConfig, secrets: SecretSource) -> Embedding:
    """The embedding model, ready for texts. Loads a local model, which blocks; calls no service.

    A Secret that isn't there yet is an error of the calls that need it, not of the start. Raises StartError
    where a library isn't installed, or a local model can't be loaded.
    """
    match config.provider:
        case FastEmbedConfig() as provider:
            return _fastembed(config, provider)
        case SentenceTransformersConfig() as provider:
            return _sentence_transformers(config, provider)
        case RemoteEmbeddingConfig(type="OpenAI") as provider:
            return _openai(config, provider, secrets)
        case RemoteEmbeddingConfig() as provider:
            return _cohere(config, provider, secrets)


def _fastembed(config: EmbeddingConfig, provider: FastEmbedConfig) -> Embedding:
    _need("fastembed", extra="fastembed", type_="FastEmbed")
    # ONNX Runtime, from 1.29 on, tells its maker of the models that it runs and keeps an id in the home
    # folder, unless it is told not to before it is imported.
    os.environ["ORT_DISABLE_TELEMETRY"] = "1"
    from ragfleet_runtime.embed.fastembed import NAME, load_fastembed  # noqa: PLC0415 (optional)

    return _local(NAME, load_fastembed(config, provider), config)


def _sentence_transformers(config: EmbeddingConfig, provider: SentenceTransformersConfig) -> Embedding:
    _need("sentence_transformers", extra="torch", type_="SentenceTransformers")
    from ragfleet_runtime.embed.sentence_transformers import (  # noqa: PLC0415 (optional)
        NAME,
        load_sentence_transformers,
    )

    return _local(NAME, load_sentence_transformers(config, provider), config)


def _openai(config: EmbeddingConfig, provider: RemoteEmbeddingConfig, secrets: SecretSource) -> Embedding:
    _need("openai", extra="openai", type_="OpenAI")
    from ragfleet_runtime.embed.openai import NAME, OpenAIEmbeddings  # noqa: PLC0415 (optional)
    from ragfleet_runtime.embed.remote import RemoteEmbedder  # noqa: PLC0415

    api = OpenAIEmbeddings(config, provider, secrets)
    return Embedding(RemoteEmbedder(NAME, api, config, provider, config.batch_size), None)


def _cohere(config: EmbeddingConfig, provider: RemoteEmbeddingConfig, secrets: SecretSource) -> Embedding:
    from ragfleet_runtime.embed.cohere import NAME, CohereEmbeddings  # noqa: PLC0415
    from ragfleet_runtime.embed.remote import RemoteEmbedder  # noqa: PLC0415

    api = CohereEmbeddings(config, provider, secrets)
    most_texts = min(config.batch_size, COHERE_BATCH_SIZE)
    return Embedding(RemoteEmbedder(NAME, api, config, provider, most_texts), None)


def _local(name: str, model: LocalModel, config: EmbeddingConfig) -> Embedding:
    return Embedding(LocalEmbedder(name, model, config.batch_size), model)


def _need(library: str, *, extra: str, type_: str) -> None:
    if find_spec(library) is None:
        raise StartError(
            f"embedding of type {type_} needs a library that isn't installed: pip install 'ragfleet[{extra}]'"
        )
