"""Secrets written beside a pipeline, for a laptop: what Kubernetes' own objects of that kind hold.

No message shows a value: of what is wrong below ``data`` and ``stringData``, the place and the type are told.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails

from ragfleet_api.base import ApiModel
from ragfleet_api.manifest_errors import describe
from ragfleet_api.problems import Path, Problem, show_path
from ragfleet_api.resource import Metadata
from ragfleet_api.schema import structural_schema
from ragfleet_api.spec.common import SecretName
from ragfleet_api.yaml_lines import Document

SECRET_KIND: Final = "Secret"  # noqa: S105 (the name of a kind)

# Values by the name of a Secret and the key of an entry.
SecretValues = Mapping[str, Mapping[str, str]]

_ENTRY_KEY: Final = re.compile(r"(?!\.\.|\.$)[A-Za-z0-9._-]{1,253}")
_SHOWN: Final = ("apiVersion", "kind", "metadata", "type", "immutable")


class SecretMetadata(Metadata):
    """Who a Secret is."""

    name: SecretName = Field(description="Name of the Secret.")


class SecretObject(ApiModel):
    """Kubernetes' Secret, version v1."""

    api_version: Literal["v1"]
    kind: Literal["Secret"]
    metadata: SecretMetadata
    type: str | None = None
    immutable: bool | None = None
    data: dict[str, str] | None = Field(default=None, repr=False)
    string_data: dict[str, str] | None = Field(default=None, repr=False)


def read_secrets(
    documents: Sequence[Document], namespace: str, source: str
) -> tuple[SecretValues, list[Problem]]:
    """The entries of the Secrets, and all that is wrong with them.

    namespace: the pipeline's, which a Secret's must be where it has one. Of an entry that is in both,
    ``stringData`` counts, as in a cluster. Spaces at the ends of values are kept.
    """
    values: dict[str, Mapping[str, str]] = {}
    lines: dict[str, int] = {}
    problems: list[Problem] = []
    for document in documents:
        secret, found = _validate(document, source)
        problems += found
        if secret is None:
            continue
        name = secret.metadata.name
        problems += _place_problems(secret, document, lines.get(name), namespace, source)
        values[name], found = _entries(secret, document, source)
        problems += found
        lines.setdefault(name, document.lines[()])
    return values, problems


def _validate(document: Document, source: str) -> tuple[SecretObject | None, list[Problem]]:
    errors: list[ErrorDetails] = []
    try:
        return SecretObject.model_validate(document.value, by_alias=True, by_name=False), []
    except ValidationError as error:
        errors = error.errors(include_url=False)

    def locate(path: Path) -> tuple[str, int]:
        return source, _line(document, path)

    return None, describe(errors, structural_schema(SecretObject), locate, lambda path: path[0] not in _SHOWN)


def _place_problems(
    secret: SecretObject, document: Document, first: int | None, namespace: str, source: str
) -> Iterator[Problem]:
    name, given = secret.metadata.name, secret.metadata.namespace
    if first is not None:
        message = f"a second Secret {name}, after the one at line {first}; keep one"
        yield Problem("", document.lines[()], message, source)
    if given not in (None, namespace):
        message = f'found "{given}"; must be "{namespace}", the pipeline\'s, or left out'
        yield Problem("metadata.namespace", _line(document, ("metadata", "namespace")), message, source)


def _entries(secret: SecretObject, document: Document, source: str) -> tuple[dict[str, str], list[Problem]]:
    values: dict[str, str] = {}
    problems = []
    for field, entries in (("data", secret.data), ("stringData", secret.string_data)):
        for key, text in (entries or {}).items():
            try:
                values[key] = _value(key, text, is_base64=field == "data")
            except _EntryError as error:
                path = (field, key)
                problems.append(Problem(show_path(path), _line(document, path), str(error), source))
    return values, problems


class _EntryError(Exception):
    """An entry can't be used; the message doesn't show its value."""


def _value(key: str, text: str, *, is_base64: bool) -> str:
    if not _ENTRY_KEY.fullmatch(key):
        raise _EntryError(
            "an entry's name has letters, digits, dots, dashes and underscores, and no .. before"
        )
    if not is_base64:
        return text
    try:
        content = base64.b64decode(re.sub(r"[\r\n]", "", text), validate=True)  # as Kubernetes reads it
    except ValueError:
        raise _EntryError("not base64; plain text goes under stringData") from None
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise _EntryError("not UTF-8 text once it is decoded, which is all that a pipeline can use") from None


def _line(document: Document, path: Path) -> int:
    """The line of the value at a path, or of the nearest object above it."""
    return next(
        document.lines[path[:length]]
        for length in range(len(path), -1, -1)
        if path[:length] in document.lines
    )
