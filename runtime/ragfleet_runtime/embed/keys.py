"""A provider's API key, read for each call."""

from __future__ import annotations

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.errors import ProviderError
from ragfleet_runtime.secrets import MissingSecretError, SecretSource


def bearer(provider: str, secrets: SecretSource, ref: SecretKeyRef | None) -> str | None:
    """The value of the ``Authorization`` header; None where no key is configured.

    Raises ProviderError (unauthorized) where the Secret isn't there, or its value can't be sent.
    """
    if ref is None:
        return None
    try:
        key = secrets.read(ref)
    except MissingSecretError as error:
        raise ProviderError(provider, "unauthorized", str(error)) from None
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        # Said here: the HTTP libraries say it with the key.
        raise ProviderError(
            provider,
            "unauthorized",
            f"the entry {ref.key} of the Secret {ref.name} isn't an API key: it is empty, or has spaces or "
            "characters that can't be sent",
        )
    return f"Bearer {key}"
