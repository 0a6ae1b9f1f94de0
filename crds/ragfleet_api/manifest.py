"""Loading a manifest file, for the commands that take ``-f FILE`` and ``--set``."""

from __future__ import annotations

import copy
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Any, BinaryIO, Final, Literal

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from ragfleet_api.manifest_errors import Locate, describe, is_unknown_field
from ragfleet_api.overrides import apply_overrides, parse_overrides
from ragfleet_api.problems import ManifestError, Path, Problem, show_value
from ragfleet_api.resource import RAGPipeline
from ragfleet_api.schema import structural_schema
from ragfleet_api.suggest import suggestion
from ragfleet_api.version import API_VERSION, KIND
from ragfleet_api.yaml_lines import Document, read_documents

MAX_BYTES: Final = 2**20
_STDIN: Final = "stdin"


def load_manifest(path: FilePath | Literal["-"], overrides: Sequence[str] = ()) -> RAGPipeline:
    """The pipeline in a file, or in standard input for "-", with the ``--set`` arguments applied.

    The file holds one RAGPipeline and nothing else; its status is ignored. Raises ManifestError with all
    that is wrong with it. The limit is ``MAX_BYTES``.
    """
    source = _STDIN if path == "-" else str(path)
    return parse_manifest(_decode(_read(path, source), source), source, overrides)


def parse_manifest(text: str, source: str, overrides: Sequence[str] = ()) -> RAGPipeline:
    """The pipeline in a text; ``source`` names it in messages. Otherwise as ``load_manifest``."""
    settings = parse_overrides(overrides)
    document = _only_pipeline(read_documents(text, source), source)
    value, origins = apply_overrides(document.value, settings)
    _check_text(value, source)
    value.pop("status", None)
    errors = _errors(value)
    if not errors:
        return _validate(value)
    problems = describe(errors, structural_schema(RAGPipeline), _locator(document.lines, origins, source))
    raise ManifestError(sorted(problems, key=_order))


def _read(path: FilePath | Literal["-"], source: str) -> bytes:
    try:
        if path == "-":
            return _read_limited(sys.stdin.buffer, source)
        with FilePath(path).open("rb") as file:
            return _read_limited(file, source)
    except FileNotFoundError as error:
        raise _file_error("no such file", source) from error
    except IsADirectoryError as error:
        raise _file_error("is a directory; name the manifest file in it", source) from error
    except OSError as error:
        raise _file_error(f"cannot be read: {error.strerror}", source) from error


def _read_limited(file: BinaryIO, source: str) -> bytes:
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise _file_error(f"larger than {MAX_BYTES // 2**20} MiB, which no manifest needs", source)
    return content


def _decode(content: bytes, source: str) -> str:
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        message = f"not UTF-8 text (byte 0x{content[error.start]:02x}); save the file as UTF-8"
        raise ManifestError([Problem("", line, message, source)]) from error


def _file_error(message: str, source: str) -> ManifestError:
    return ManifestError([Problem("", None, message, source)])


def _check_text(value: Any, source: str) -> None:
    # Arguments of a command may hold undecodable bytes, and a YAML escape half of a surrogate pair.
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise _file_error("a text in it, or in --set, is not Unicode; write it in UTF-8", source) from error


def _only_pipeline(documents: Sequence[Document], source: str) -> Document:
    """The one document, a RAGPipeline. Raises ManifestError for none, for others and for a second."""
    if not documents:
        raise _file_error(f"empty; must hold one {KIND}", source)
    problems = [problem for document in documents for problem in _identity_problems(document, source)]
    if not problems and len(documents) > 1:
        first = documents[0].lines[()]
        problems = [
            Problem("", other.lines[()], f"a second {KIND}, after the one at line {first}; keep one", source)
            for other in documents[1:]
        ]
    if problems:
        raise ManifestError(problems)
    return documents[0]


def _identity_problems(document: Document, source: str) -> Iterable[Problem]:
    value, lines = document.value, document.lines
    if not isinstance(value, dict):
        message = f"found {show_value(value)}; must be an object with apiVersion, kind, metadata, spec"
        yield Problem("", lines[()], message, source)
        return
    for field, required in (("kind", KIND), ("apiVersion", API_VERSION)):
        found = value.get(field)
        line = lines.get((field,), lines[()])
        if found is None:
            yield Problem(field, line, f'required, and missing; must be "{required}"', source)
        elif found != required:
            hint = suggestion(found, [required])
            yield Problem(field, line, f'found {show_value(found)}; {hint}must be "{required}"', source)
            if field == "kind" and not hint:
                return


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
