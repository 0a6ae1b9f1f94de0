"""Python by its syntax tree: each function and each class is a chunk, under its qualified name."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Sequence

from ragfleet_runtime.ingest.chunk.code import code_chunks, code_spans
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.chunk.spans import trimmed
from ragfleet_runtime.ingest.chunk.tokens import count_tokens
from ragfleet_runtime.ingest.model import Chunk

# The tree of a megabyte takes half a gigabyte and seconds. Only generated modules are so long.
_MOST_CHARACTERS = 400_000

_Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
_LINE_END = re.compile(r"\r\n?|\n")
_COMMENT = re.compile(r"[ \t\f]*#")


def python_chunks(text: str, settings: ChunkSettings) -> list[Chunk]:
    """Chunks by function and class; what stands between them is chunked apart.

    A class that fits stays whole; else its methods are chunks of their own, under ("class Store", "def put").
    Decorators and the comment lines right above belong to a definition. Source that Python 3 can't parse, or
    can't parse safely (nested too deep, too long), is cut as any other code.
    """
    module = _tree(text)
    if module is None:
        return code_chunks(text, settings)
    return _Cutter(text, settings.max_tokens).body(module.body, 0, len(text), ())


def _tree(text: str) -> ast.Module | None:
    if len(text) > _MOST_CHARACTERS:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the document's code, e.g. an invalid escape
        try:
            return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


class _Cutter:
    """Cuts the bodies of a module and its classes."""

    def __init__(self, text: str, max_tokens: int) -> None:
        self._text = text
        self._max_tokens = max_tokens
        # Python ends lines at these alone; str.splitlines knows more.
        self._line_starts = [0, *(end.end() for end in _LINE_END.finditer(text))]

    def body(
        self, statements: Sequence[ast.stmt], start: int, end: int, path: tuple[str, ...]
    ) -> list[Chunk]:
        """Chunks of ``text[start:end]``, which holds those statements."""
        chunks: list[Chunk] = []
        position = start
        for node in statements:
            if not isinstance(node, _Definition):
                continue
            first = max(position, self._first(node, position))
            last = min(end, max(first, self._line_start((node.end_lineno or node.lineno) + 1)))
            chunks += self._loose(position, first, path)
            chunks += self._definition(node, first, last, path)
            position = last
        return chunks + self._loose(position, end, path)

    def _definition(self, node: _Definition, start: int, end: int, path: tuple[str, ...]) -> list[Chunk]:
        path = (*path, f"{'class' if isinstance(node, ast.ClassDef) else 'def'} {node.name}")
        if isinstance(node, ast.ClassDef) and count_tokens(self._text, start, end) > self._max_tokens:
            return self.body(node.body, start, end, path)
        return self._loose(start, end, path)

    def _loose(self, start: int, end: int, path: tuple[str, ...]) -> list[Chunk]:
        span = trimmed(self._text, start, end)
        if span is None:
            return []
        if count_tokens(self._text, *span) <= self._max_tokens:
            return [Chunk(*span, path)]
        return [Chunk(*part, path) for part in code_spans(self._text, *span, self._max_tokens)]

    def _first(self, node: _Definition, earliest: int) -> int:
        """Where a definition begins: with its decorators and the comment lines right above."""
        line = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
        while line > 1 and self._is_comment(line - 1) and self._line_start(line - 1) >= earliest:
            line -= 1
        return self._line_start(line)

    def _is_comment(self, line: int) -> bool:
        return _COMMENT.match(self._text, self._line_start(line), self._line_start(line + 1)) is not None

    def _line_start(self, line: int) -> int:
        """Offset of a line, counted from 1; the end of the text for the line behind the last."""
        return self._line_starts[line - 1] if line <= len(self._line_starts) else len(self._text)
