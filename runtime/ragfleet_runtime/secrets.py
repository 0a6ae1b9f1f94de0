"""Where secret values come from. They are read when they are used, and never kept in a configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from ragfleet_api.spec.common import SecretKeyRef


class MissingSecretError(Exception):
    """A Secret, or an entry of one, is not there; the message names it and says how to give it."""


class SecretSource(Protocol):
    """Secrets by name. Implementations notice changes within seconds."""

    def read(self, ref: SecretKeyRef) -> str:
        """The entry's value as text, without spaces and newlines at its ends. Raises MissingSecretError."""

    def entries(self, name: str) -> Mapping[str, str]:
        """All entries of a Secret, values as of ``read``. Raises MissingSecretError."""
