"""HTML tables of data as rows of text."""

from __future__ import annotations

from collections.abc import Iterator

from selectolax.lexbor import LexborNode

from ragfleet_runtime.ingest.parse.dom import children, descendants
from ragfleet_runtime.ingest.parse.rows import is_header, labelled_rows, one_line

# What stands in a cell only where a table lays out a page.
_LAYOUT = frozenset(("table", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "article", "main", "nav"))
_MOST_SPAN = 100
_KEY_AND_VALUE = 2

_Cell = tuple[bool, str]  # whether it is a <th>, and its text


def table_lines(table: LexborNode) -> tuple[str, list[str]] | None:
    """A table's caption and its rows, each with the names of its columns; None where it lays out a page."""
    if any(node.tag in _LAYOUT for node in descendants(table)):
        return None
    rows = [row for row in _grid(table) if any(text for _, text in row)]
    if len(rows) <= 1 or max(len(row) for row in rows) <= 1:
        return None
    caption = next((_text(node) for node in children(table) if node.tag == "caption"), "")
    return caption, list(_lines(rows))


def _lines(rows: list[list[_Cell]]) -> Iterator[str]:
    texts = [[text for _, text in row] for row in rows]
    if all(th for th, _ in rows[0]) or (is_header(texts[0]) and not _names_rows(rows)):
        yield from labelled_rows(texts[1:], [name or f"column {i}" for i, name in enumerate(texts[0], 1)])
    elif _names_rows(rows):
        yield from (": ".join(text for text in row if text) for row in texts)
    else:
        yield from ("; ".join(text for text in row if text) for row in texts)


def _names_rows(rows: list[list[_Cell]]) -> bool:
    """Whether each row is a name and its value."""
    return all(len(row) == _KEY_AND_VALUE and row[0][0] and not row[1][0] for row in rows)


def _grid(table: LexborNode) -> Iterator[list[_Cell]]:
    """The rows with spans spread out: a cell over rows stands in each, one over columns leaves gaps."""
    hanging: dict[int, tuple[int, _Cell]] = {}  # by column: rows still to fill, and the cell
    for node in descendants(table):
        if node.tag != "tr":
            continue
        row: list[_Cell] = []
        cells = [child for child in children(node) if child.tag in ("td", "th")]
        for cell in cells:
            _fill(row, hanging)
            content = (cell.tag == "th", _text(cell))
            columns, more_rows = _span(cell, "colspan"), _span(cell, "rowspan") - 1
            if more_rows:
                hanging[len(row)] = (more_rows, content)
            row += [content, *[(content[0], "")] * (columns - 1)]
        _fill(row, hanging)
        yield row


def _fill(row: list[_Cell], hanging: dict[int, tuple[int, _Cell]]) -> None:
    while len(row) in hanging:
        column = len(row)
        rows_left, content = hanging.pop(column)
        if rows_left > 1:
            hanging[column] = (rows_left - 1, content)
        row.append(content)


def _span(cell: LexborNode, name: str) -> int:
    value = cell.attributes.get(name) or ""
    return max(1, min(_MOST_SPAN, int(value))) if value.isascii() and value.isdigit() else 1


def _text(node: LexborNode) -> str:
    parts = (child.text_content or "" if child.is_text_node else " " for child in descendants(node))
    return one_line("".join(parts))
