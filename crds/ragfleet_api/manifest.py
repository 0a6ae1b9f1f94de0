"""Loading a manifest file, for the commands that take ``-f FILE`` and ``--set``."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path as FilePath
from typing import Any, Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ragfleet_api.manifest_errors import Locate, describe, is_unknown_field
from ragfleet_api.manifest_file import file_error, read_manifest
from ragfleet_api.overrides import Override, apply_overrides, parse_overrides
from ragfleet_api.problems import ManifestError, Path, Problem, show_value
from ragfleet_api.resource import RAGPipeline
from ragfleet_api.schema import structural_schema
from ragfleet_api.secret_documents import SECRET_KIND, SecretValues, read_secrets
from ragfleet_api.suggest import suggestion
from ragfleet_api.version import API_VERSION, KIND
from ragfleet_api.yaml_lines import Document, read_documents

# Where a pipeline is that doesn't say so.
DEFAULT_NAMESPACE: Final = "default"


def load_manifest(path: FilePath | Literal["-"], overrides: Sequence[str] = ()) -> RAGPipeline:
    """The pipeline in a file, as ``load_with_secrets`` gives it."""
    return load_with_secrets(path, overrides)[0]


def parse_manifest(text: str, source: str, overrides: Sequence[str] = ()) -> RAGPipeline:
    """The pipeline in a text, as ``parse_with_secrets`` gives it."""
    return parse_with_secrets(text, source, overrides)[0]


def load_with_secrets(
    path: FilePath | Literal["-"], overrides: Sequence[str] = ()
) -> tuple[RAGPipeline, SecretValues]:
    """The pipeline and the Secrets in a file, or in standard input for "-".

    The file holds one RAGPipeline, to which the ``--set`` arguments apply and whose status is ignored, and
    any number of Secrets. Raises ManifestError with all that is wrong with it.
    """
    return parse_with_secrets(*read_manifest(path), overrides)


def parse_with_secrets(
    text: str, source: str, overrides: Sequence[str] = ()
) -> tuple[RAGPipeline, SecretValues]:
    """The pipeline and the Secrets in a text; ``source`` names it. Otherwise as ``load_with_secrets``."""
    settings = parse_overrides(overrides)
    document, others = _sorted(_documents(text, source), source)
    value, problems = _pipeline(document, settings, source)
    secrets, found = read_secrets(others, _namespace(value), source)
    if problems or found:
        raise ManifestError(sorted([*problems, *found], key=_order))
    return _validate(value), secrets


def _documents(text: str, source: str) -> list[Document]:
    try:
        documents = read_documents(text, source)
    except ManifestError as error:
        # YAML's own words quote tags and aliases, and a value that starts with ! or * is read as one of them.
        if SECRET_KIND not in text:
            raise
        problems = [replace(problem, message=_unquoted(problem.message)) for problem in error.problems]
        raise ManifestError(problems) from None
    for document in documents:
        _check_text(document.value, source)
    return documents


def _unquoted(message: str) -> str:
    return re.sub(r"(?<=the tag )\S+|'[^']*'", "(not shown)", message)


def _check_text(value: Any, source: str) -> None:
    # Arguments of a command may hold undecodable bytes, and a YAML escape half of a surrogate pair.
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError:
        raise file_error("a text in it, or in --set, is not Unicode; write it in UTF-8", source) from None


def _sorted(documents: Sequence[Document], source: str) -> tuple[Document, list[Document]]:
    """The one RAGPipeline, and the Secrets. Raises ManifestError for none, for others and for a second."""
    if not documents:
        raise file_error(f"empty; must hold one {KIND}", source)
    secrets = [document for document in documents if _kind(document) == SECRET_KIND]
    pipelines = [document for document in documents if _kind(document) != SECRET_KIND]
    expected = f'"{KIND}"' if len(documents) == 1 else f'"{KIND}" or "{SECRET_KIND}"'
    problems = [
        problem for document in pipelines for problem in _identity_problems(document, expected, source)
    ]
    if not problems and len(pipelines) > 1:
        first = pipelines[0].lines[()]
        problems = [
            Problem("", other.lines[()], f"a second {KIND}, after the one at line {first}; keep one", source)
            for other in pipelines[1:]
        ]
    if problems:
        raise ManifestError(problems)
    if not pipelines:
        raise file_error(f"no {KIND} in it, only Secrets; must hold one", source)
    return pipelines[0], secrets


def _kind(document: Document) -> object:
    return document.value.get("kind") if isinstance(document.value, dict) else None


def _identity_problems(document: Document, kinds: str, source: str) -> Iterable[Problem]:
    value, lines = document.value, document.lines
    if not isinstance(value, dict):
        message = f"found {show_value(value)}; must be an object with apiVersion, kind, metadata, spec"
        yield Problem("", lines[()], message, source)
        return
    for field, required, allowed in (("kind", KIND, kinds), ("apiVersion", API_VERSION, f'"{API_VERSION}"')):
        found = value.get(field)
        line = lines.get((field,), lines[()])
        if found is None:
            yield Problem(field, line, f"required, and missing; must be {allowed}", source)
        elif found != required:
            hint = suggestion(found, [required])
            near = hint or (suggestion(found, [SECRET_KIND]) if field == "kind" else "")
            yield Problem(field, line, f"found {show_value(found)}; {near}must be {allowed}", source)
            if field == "kind" and not hint:
                return


def _pipeline(document: Document, settings: Sequence[Override], source: str) -> tuple[Any, list[Problem]]:
    """The pipeline's object with the settings applied, and all that is wrong with it."""
    value, origins = apply_overrides(document.value, settings)
    _check_text(value, source)
    value.pop("status", None)
    locate = _locator(document.lines, origins, source)
    errors = _errors(value)
    # The schema takes a while to make, and only errors need it.
    return value, describe(errors, structural_schema(RAGPipeline), locate) if errors else []


def _namespace(value: Mapping[str, Any]) -> str:
    metadata = value.get("metadata")
    namespace = metadata.get("namespace") if isinstance(metadata, dict) else None
    return namespace if isinstance(namespace, str) else DEFAULT_NAMESPACE


def _validate(value: Any) -> RAGPipeline:
    return RAGPipeline.model_validate(value, by_alias=True, by_name=False)


def _errors(value: Any) -> list[ErrorDetails]:
    """All errors. An object with an unknown field breaks no rule yet, so its rules are tried without it."""
    errors = _validation_errors(value)
    unknown = [error for error in errors if is_unknown_field(error)]
    if not unknown:
        return errors
    return unknown + _validation_errors(_without(value, [error["loc"] for error in unknown]))


def _validation_errors(value: Any) -> list[ErrorDetails]:
    try:
        _validate(value)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []


def _without(value: Any, paths: Sequence[Path]) -> Any:
    """A copy of the value without the fields at the paths."""
    result = copy.deepcopy(value)
    for path in paths:
        parent = result
        for step in path[:-1]:
            parent = parent[step]
        del parent[path[-1]]
    return result


def _locator(lines: Mapping[Path, int], origins: Mapping[Path, str], source: str) -> Locate:
    def locate(path: Path) -> tuple[str, int | None]:
        for length in range(len(path), -1, -1):
            if path[:length] in origins:
                return f"--set {origins[path[:length]]}", None
            if path[:length] in lines:
                return source, lines[path[:length]]
        raise LookupError(path)

    return locate


def _order(problem: Problem) -> tuple[bool, int]:
    """As the file goes, and then the settings."""
    return problem.line is None, problem.line or 0
