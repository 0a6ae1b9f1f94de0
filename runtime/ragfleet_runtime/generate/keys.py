"""The key of a model, as it is when the model is asked."""

from __future__ import annotations

from ragfleet_runtime.generate.faults import Endpoint
from ragfleet_runtime.secrets import MissingSecretError, SecretSource


def key_of(endpoint: Endpoint, secrets: SecretSource) -> str | None:
    """The key; None where the pipeline names none. Raises ProviderError where it isn't there or is none."""
    ref = endpoint.api_key
    if ref is None:
        return None
    try:
        key = secrets.read(ref)
    except MissingSecretError as error:
        raise endpoint.fault("unauthorized", str(error)) from None
    if not (key.isascii() and key.isprintable()):
        # A client library's own error would show the key.
        raise endpoint.fault(
            "unauthorized", f"entry {ref.key} of Secret {ref.name} has characters no key has"
        )
    return key
