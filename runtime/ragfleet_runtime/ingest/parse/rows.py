"""Rows of tables as text: each with the names of its columns, so that a row found alone still makes sense."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

_FIGURE = re.compile(r"[\s(]*[-+±$€£¥]*\s*[\d.,:/ -]*\d[\d.,:/ -]*\s*[%)]?\s*\Z")
_FIGURE_CHARACTERS = 40


def is_header(row: Sequence[str]) -> bool:
    """Whether a first row names the columns: its cells are distinct, not empty and no figures."""
    return (
        bool(row)
        and all(row)
        and len({cell.casefold() for cell in row}) == len(row)
        and not any(len(cell) <= _FIGURE_CHARACTERS and _FIGURE.match(cell) for cell in row)
    )


def labelled_rows(rows: Iterable[Sequence[str]], header: Sequence[str] | None) -> Iterator[str]:
    """Each row as ``name: value; name: value``, without its empty cells; rows without values are left out.

    A column without a name in the header is called by its number, from 1.
    """
    names = list(header or ())
    for row in rows:
        while len(names) < len(row):
            names.append(f"column {len(names) + 1}")
        line = "; ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=False) if cell)
        if line:
            yield line


def one_line(cell: str) -> str:
    """A cell's text with every run of whitespace as one space."""
    return " ".join(cell.split())
