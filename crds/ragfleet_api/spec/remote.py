"""Models that somebody else runs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.spec.common import HTTPURL, ModelName, Retries, Seconds, SecretKeyRef


class RemoteModel(ApiModel):
    """A model behind an address."""

    base_url: HTTPURL | None = Field(
        default=None,
        alias="baseURL",
        description="Address of its API, without the path of a call. Default: the provider's own.",
    )
    model: ModelName = Field(description="Name of the model, as its server knows it.")
    api_key_secret_ref: SecretKeyRef | None = Field(
        default=None, description="Its API key. Default: none is sent, which needs a baseURL."
    )


class RemoteEmbedding(RemoteModel):
    """An embedding model behind an address, and how it is called."""

    timeout_seconds: Seconds | None = Field(
        default=None, description="Longest wait for one answer. Default: 30."
    )
    max_retries: Retries | None = Field(
        default=None, description="How often a call that may succeed later is tried again. Default: 2."
    )
    max_concurrency: Annotated[int, Field(ge=1, le=256)] | None = Field(
        default=None, description="Most calls at once. Default: 4."
    )


def key_rule(provider: str) -> Rule:
    """The rule that a provider's own address needs a key."""
    return Rule(
        cel="has(self.baseURL) || has(self.apiKeySecretRef)",
        message=(
            f"{provider} asks for a key: add apiKeySecretRef, or the baseURL of a server that asks for none"
        ),
        field="apiKeySecretRef",
        holds=lambda self: self.base_url is not None or self.api_key_secret_ref is not None,
    )
