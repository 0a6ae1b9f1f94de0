"""Secrets on a laptop: from the command line, from documents beside the pipeline, from a folder."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.secret_documents import SecretValues
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_cli.errors import CliError
from ragfleet_runtime.guard.needed import missing_entries
from ragfleet_runtime.secrets import MissingSecretError, SecretSource
from ragfleet_runtime.secrets_files import (
    MAX_BYTES,
    AbsentSecretError,
    DirectorySecrets,
    FirstOf,
    GivenSecrets,
)

_FORMS: Final = "NAME.KEY=env:VARIABLE or NAME.KEY=file:PATH"
_WAYS: Final = (
    f"give each with --secret {_FORMS}, as a Secret document in the manifest, or as a file NAME/KEY in the "
    "folder of --secrets-dir"
)


@dataclass(frozen=True, slots=True)
class SecretOptions:
    """The arguments of --secret, and the folder of --secrets-dir."""

    given: Sequence[str] = ()
    folder: Path | None = None


def local_secrets(options: SecretOptions, documents: SecretValues) -> FirstOf:
    """All that a pipeline on this machine can read; what is named first here counts first.

    Raises CliError for an argument or a folder that can't be used.
    """
    sources: list[SecretSource] = [GivenSecrets(_given(options.given)), GivenSecrets(documents)]
    if options.folder is not None:
        if not options.folder.is_dir():
            raise CliError(f"--secrets-dir {options.folder}: there is no such folder")
        sources.append(DirectorySecrets(options.folder))
    return FirstOf(sources)


def require_secrets(config: RuntimeConfig, source: SecretSource) -> None:
    """Raise CliError with a line for each Secret that the configuration refers to and nobody has given."""
    missing = missing_entries(config, source)
    if config.auth.required and not config.auth.generate:
        try:
            source.entries(config.auth.secret)
        except AbsentSecretError:
            missing.append(f"the Secret {config.auth.secret} of the API keys is not there")
        except MissingSecretError as error:
            missing.append(str(error))
    if missing:
        raise CliError("\n".join([*missing, _WAYS]))


def _given(arguments: Sequence[str]) -> SecretValues:
    values: dict[str, dict[str, str]] = {}
    for argument in arguments:
        place, equals, source = argument.partition("=")
        ref = _ref(place) if equals else None
        if ref is None:
            # What stands there may be a value, so it is not shown.
            raise CliError(f"--secret: must be {_FORMS}, or NAME/KEY where the Secret's name has dots")
        if ref.key in values.get(ref.name, {}):
            raise CliError(f"--secret {place}: given twice")
        values.setdefault(ref.name, {})[ref.key] = _value(place, source)
    return values


def _ref(place: str) -> SecretKeyRef | None:
    name, _, key = place.partition("/" if "/" in place else ".")
    try:
        return SecretKeyRef(name=name, key=key)
    except ValidationError:
        return None


def _value(place: str, source: str) -> str:
    kind, colon, argument = source.partition(":")
    if not colon or kind not in ("env", "file") or not argument:
        raise CliError(
            f"--secret {place}: a value here would show in `ps` and in the shell's history; "
            "name where it is, as env:VARIABLE or file:PATH"
        )
    name = f"--secret {place}={source}"
    value = _variable(name, argument) if kind == "env" else _file(name, Path(argument).expanduser())
    if not value.strip():
        raise CliError(f"{name}: there is nothing in it")
    return value


def _variable(name: str, variable: str) -> str:
    value = os.environb.get(os.fsencode(variable))
    if value is None:
        raise CliError(f"{name}: the variable {variable} is not set")
    return _text(name, value)


def _file(name: str, path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CliError(f"{name}: {(error.strerror or str(error)).lower()}") from error
    if len(content) > MAX_BYTES:
        raise CliError(f"{name}: larger than {MAX_BYTES // 2**20} MiB")
    return _text(name, content)


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:  # whose text would show the value
        raise CliError(f"{name}: not UTF-8 text") from None
