"""Embedding configurations for tests, and the model that lies beside the repository."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import pytest

from ragfleet_api.config.models import EmbeddingConfig, FastEmbedConfig, RemoteEmbeddingConfig
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.secrets import MissingSecretError
from support.embedding_server import EmbeddingServer

MINILM = Path(__file__).parents[3] / "shared/models/all-MiniLM-L6-v2-onnx-int8"
MINILM_NAME = "sentence-transformers/all-MiniLM-L6-v2"
CRANFIELD = Path(__file__).parents[3] / "shared/data/cranfield"

KEY = SecretKeyRef(name="models", key="token")


def need_minilm() -> None:
    """Skip the test where the model isn't there, which it must be where CI is set."""
    if not MINILM.is_dir() and not os.environ.get("CI"):
        pytest.skip(f"{MINILM} isn't there")


class Secrets:
    """Secret entries that tests may change."""

    def __init__(self, **entries: str) -> None:
        self.values = dict(entries)

    def read(self, ref: SecretKeyRef) -> str:
        """The value of an entry, whatever its Secret is called."""
        if ref.key not in self.values:
            raise MissingSecretError(f"the Secret {ref.name} has no entry {ref.key}: give it by --secret")
        return self.values[ref.key]

    def entries(self, name: str) -> Mapping[str, str]:
        """All entries, of any name."""
        return self.values


def embedding_config(provider: Any, **settings: Any) -> EmbeddingConfig:
    """A configuration with the defaults of a manifest."""
    defaults: dict[str, Any] = {
        "dimensions": None,
        "query_prefix": "",
        "document_prefix": "",
        "normalize": True,
        "batch_size": 32,
    }
    return EmbeddingConfig(provider=provider, **{**defaults, **settings})


def fastembed_config(
    path: Path | None = MINILM, model: str = MINILM_NAME, **settings: Any
) -> EmbeddingConfig:
    """FastEmbed with one thread."""
    provider = FastEmbedConfig(model=model, path=None if path is None else str(path), threads=1)
    return embedding_config(provider, **settings)


def remote_config(
    type_: Literal["OpenAI", "Cohere"],
    server: EmbeddingServer | str,
    *,
    api_key: SecretKeyRef | None = None,
    model: str = "bag-of-words",
    timeout_seconds: int = 10,
    max_retries: int = 0,
    max_concurrency: int = 4,
    **settings: Any,
) -> EmbeddingConfig:
    """A provider at a local server; nothing is tried again unless it is asked for."""
    url = server if isinstance(server, str) else server.url
    provider = RemoteEmbeddingConfig(
        type=type_,
        model=model,
        base_url=f"{url}/v1" if type_ == "OpenAI" else url,
        api_key=api_key,
        timeout_seconds=timeout_seconds,
        max_retries=max_retries,
        max_concurrency=max_concurrency,
    )
    return embedding_config(provider, **settings)
