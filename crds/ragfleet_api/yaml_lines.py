"""YAML documents as plain data, with the line of every value.

Only what JSON can say is accepted, since that is what reaches the API server: string keys, and values that
are strings, numbers, booleans, nulls, lists and objects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml
from yaml.reader import Reader

from ragfleet_api.problems import ManifestError, Path, Problem, show_path
from ragfleet_api.yaml_scalars import STRING_TAGS, TAG_PREFIX, scalar_value

MAX_DEPTH: Final = 32
MAX_VALUES: Final = 10_000

# libyaml's loader where PyYAML was built with it: some ten times as fast, for the same documents.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE: Final = f"{TAG_PREFIX}merge"


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file: its value, and the line (from 1) of every value; the root is at ``()``."""

    value: Any
    lines: Mapping[Path, int]


def read_documents(text: str, source: str) -> list[Document]:
    """The documents of a YAML text, empty ones left out.

    Raises ManifestError for what is not YAML or not JSON-like, for duplicate keys, and for more than
    ``MAX_DEPTH`` levels or ``MAX_VALUES`` values, which aliases can multiply.
    """
    try:
        _check_characters(text, source)
        _check_depth(text, source)
        roots = [node for node in yaml.compose_all(text, Loader=_Loader) if node is not None]
    except yaml.YAMLError as error:
        raise ManifestError([_syntax_problem(error, text, source)]) from error
    builders = [_Builder(source) for _ in roots]
    documents = [
        Document(builder.build(root, ()), builder.lines)
        for builder, root in zip(builders, roots, strict=True)
    ]
    problems = [problem for builder in builders for problem in builder.problems]
    if problems:
        raise ManifestError(problems)
    return [document for document in documents if document.value is not None]


def _check_characters(text: str, source: str) -> None:
    found = Reader.NON_PRINTABLE.search(text)
    if found:
        line = len(f"{text[: found.start()]}.".splitlines())
        message = f"character U+{ord(found.group()):04X} is not allowed in YAML"
        raise ManifestError([Problem("", line, message, source)])


def _check_depth(text: str, source: str) -> None:
    # Before composing, which calls itself for every level.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise ManifestError([_too_deep(_line(event), source)])


def _too_deep(line: int, source: str) -> Problem:
    return Problem("", line, f"more than {MAX_DEPTH} levels of nesting", source)


def _line(item: yaml.Node | yaml.Event) -> int:
    mark: Any = item.start_mark
    return int(mark.line) + 1


def _syntax_problem(error: yaml.YAMLError, text: str, source: str) -> Problem:
    if not isinstance(error, yaml.MarkedYAMLError) or error.problem_mark is None:
        return Problem("", None, f"not YAML: {error}", source)
    mark = error.problem_mark
    details = ", ".join(detail for detail in (error.context, error.problem) if detail)
    message = f"not YAML: {details} (column {mark.column + 1})"
    lines = text.splitlines()
    if mark.line < len(lines) and re.match(r" *\t", lines[mark.line]):
        message += "; indent with spaces, not tabs"
    return Problem("", mark.line + 1, message, source)


class _Builder:
    """Makes the value of one document, noting lines and problems as it goes."""

    def __init__(self, source: str) -> None:
        self.lines: dict[Path, int] = {}
        self.problems: list[Problem] = []
        self._source = source
        self._values = 0

    def build(self, node: yaml.Node, path: Path) -> Any:
        self.lines.setdefault(path, _line(node))
        self._count(node, len(path))
        if isinstance(node, yaml.MappingNode) and node.tag == f"{TAG_PREFIX}map":
            return self._object(node, path)
        if isinstance(node, yaml.SequenceNode) and node.tag == f"{TAG_PREFIX}seq":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
        tag = node.tag.replace(TAG_PREFIX, "!!")
        try:
            if isinstance(node, yaml.ScalarNode):
                return scalar_value(node)
        except ValueError:
            return self._note(f"cannot be read as {tag}", path, node)
        except LookupError:
            pass
        return self._note(f"the tag {tag} is not allowed", path, node)

    def _object(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key, child in self._own_items(node, path):
            here = (*path, key.value)
            if key.value in result:
                self._note(f"duplicate key; it is already at line {self.lines[here]}", here, key)
                continue
            self.lines[here] = _line(key)
            result[key.value] = self.build(child, here)
        for key, child in self._merged_items(node, path, depth=0):
            if key.value not in result:
                self.lines[(*path, key.value)] = _line(key)
                result[key.value] = self.build(child, (*path, key.value))
        return result

    def _own_items(self, node: yaml.MappingNode, path: Path) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        for key, child in node.value:
            if key.tag == _MERGE:
                continue
            if isinstance(key, yaml.ScalarNode) and key.tag in STRING_TAGS:
                yield key, child
            elif isinstance(key, yaml.ScalarNode):
                self._note(f"the key {key.value or 'null'} is not a string; put it in quotes", path, key)
            else:
                self._note("a key must be a string, not a list or an object", path, key)

    def _merged_items(
        self, node: yaml.MappingNode, path: Path, depth: int
    ) -> Iterator[tuple[yaml.ScalarNode, yaml.Node]]:
        """What ``<<`` brings in (https://yaml.org/type/merge.html), an earlier source before a later one."""
        for key, child in node.value:
            if key.tag != _MERGE:
                continue
            for item in child.value if isinstance(child, yaml.SequenceNode) else [child]:
                self._count(item, depth)
                if isinstance(item, yaml.MappingNode):
                    yield from self._own_items(item, path)
                    yield from self._merged_items(item, path, depth + 1)
                else:
                    self._note("<< takes an object or a list of objects", path, item)

    def _count(self, node: yaml.Node, depth: int) -> None:
        self._values += 1
        if self._values > MAX_VALUES:
            message = f"more than {MAX_VALUES} values; are aliases multiplying them?"
            raise ManifestError([Problem("", _line(node), message, self._source)])
        if depth > MAX_DEPTH:
            raise ManifestError([_too_deep(_line(node), self._source)])

    def _note(self, message: str, path: Path, node: yaml.Node) -> None:
        self.problems.append(Problem(show_path(path), _line(node), message, self._source))
