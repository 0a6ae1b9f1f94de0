"""Who may call the service."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.spec.common import SecretRef


class APIKeys(ApiModel):
    """Where the keys that callers may present are kept."""

    secret_ref: SecretRef | None = Field(
        default=None,
        description=(
            "A Secret whose entries are keys, each named NAME.ROLE, or NAME.ROLE.ROLE for several roles: "
            "query, ingest, admin. Changes apply without a restart. Default: keys are generated and kept."
        ),
    )


class Auth(ApiModel):
    """Who may call the service."""

    required: bool | None = Field(
        default=None, description="Whether callers must present an API key. Default: true."
    )
    api_keys: APIKeys | None = Field(default=None, description="Where the keys are kept.")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.apiKeys) || !has(self.required) || self.required",
            message="apiKeys have no effect where no key is required: take them away, or required: false",
            field="apiKeys",
            holds=lambda self: self.api_keys is None or self.required is not False,
        ),
    )
