"""What a service on this machine reads its Secrets from, the API keys that it made among them."""

from __future__ import annotations

import shlex
from pathlib import Path

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.secret_documents import SecretValues
from ragfleet_cli.access import KEY_VARIABLE
from ragfleet_cli.local_secrets import SecretOptions, local_secrets, require_secrets
from ragfleet_runtime.guard.entries import ROLES
from ragfleet_runtime.guard.generated import generated_keys, key_file
from ragfleet_runtime.secrets import SecretSource
from ragfleet_runtime.secrets_files import FirstOf


def service_secrets(
    config: RuntimeConfig, data_dir: Path, options: SecretOptions, documents: SecretValues
) -> SecretSource:
    """All Secrets of a pipeline; the keys that it asks to be made are made in its data folder.

    Raises CliError for what nobody has given, and StartError where the keys can't be kept.
    """
    source = local_secrets(options, documents)
    require_secrets(config, source)
    if not config.auth.generate:
        return source
    return FirstOf([source, generated_keys(data_dir, config.auth.secret)])


def key_hint(config: RuntimeConfig, data_dir: Path) -> list[str]:
    """Where the keys are that were made, and how to use one, as lines; no key is shown."""
    if not config.auth.generate:
        return []
    folder = data_dir.absolute()
    files = {role: key_file(folder, config.auth.secret, role) for role in ROLES}
    return [
        f"Its API keys, for {', '.join(ROLES)}, are in {files['admin'].parent}; to use one:",
        f'  export {KEY_VARIABLE}="$(cat {shlex.quote(str(files["admin"]))})"',
    ]
