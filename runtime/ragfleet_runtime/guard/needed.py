"""The entries of Secrets that a configuration refers to, and which of them aren't there."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import BaseModel

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.secrets import MissingSecretError, SecretSource
from ragfleet_runtime.secrets_files import AbsentSecretError


def missing_entries(config: BaseModel, source: SecretSource) -> list[str]:
    """A line for each entry that a configuration refers to and the source can't give. Blocks for a moment."""
    missing: dict[str, None] = {}
    for ref in secret_refs(config):
        try:
            source.read(ref)
        except AbsentSecretError:
            missing[f"the Secret {ref.name} has no entry {ref.key}"] = None
        except MissingSecretError as error:
            missing[str(error)] = None
    return list(missing)


def secret_refs(model: BaseModel) -> Iterator[SecretKeyRef]:
    """Every reference to an entry of a Secret in a configuration, wherever it is."""
    for name in type(model).model_fields:
        value = getattr(model, name)
        for item in value if isinstance(value, tuple | list) else (value,):
            if isinstance(item, SecretKeyRef):
                yield item
            elif isinstance(item, BaseModel):
                yield from secret_refs(item)
