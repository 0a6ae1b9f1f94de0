"""CSV and other delimited tables."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from ragfleet_runtime.ingest.model import Kind, Parsed, ParseError
from ragfleet_runtime.ingest.parse.rows import is_header, labelled_rows, one_line

_DELIMITERS = ",;\t|"
_SAMPLE_CHARACTERS = 16 * 1024
_SAMPLE_ROWS = 50


def parse_csv(text: str, delimiter: str | None = None) -> Parsed:
    """A table, one line a row: ``Header: value; Header: value``. Without a delimiter, it is found out.

    The first row is the header if its cells are distinct, not empty and no figures; else columns are
    numbered.
    """
    # The reader's limit is for the whole process, and 131,072 characters unless set.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    rows = _rows(text, delimiter or _delimiter(text))
    try:
        first = next((row for row in rows if any(row)), None)
        if first is None:
            raise ParseError("the document is empty")
        second = next((row for row in rows if any(row)), None)
        if second is not None and is_header(first):
            lines = labelled_rows(chain([second], rows), first)
        else:
            lines = labelled_rows(chain([first], [] if second is None else [second], rows), None)
        return Parsed("\n".join(lines), Kind.TABLE)
    except csv.Error as error:
        raise ParseError(f"the table can't be read: {error}") from None


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    # Split at "\n" alone: str.splitlines would also cut at characters that stand inside cells.
    lines = (line + "\n" for line in text.split("\n"))
    for row in csv.reader(lines, delimiter=delimiter, skipinitialspace=True):
        yield [one_line(cell) for cell in row]


def _delimiter(text: str) -> str:
    """The delimiter that cuts the first rows into the most columns alike.

    csv.Sniffer isn't used: its expressions take quadratic time, and it guesses letters for one column.
    """
    sample = text[:_SAMPLE_CHARACTERS]
    if len(sample) < len(text):
        sample = sample.rpartition("\n")[0] or sample
    return max(_DELIMITERS, key=lambda delimiter: _agreement(_widths(sample, delimiter)))


def _widths(sample: str, delimiter: str) -> Sequence[int]:
    try:
        rows = islice((row for row in _rows(sample, delimiter) if any(row)), _SAMPLE_ROWS)
        return [len(row) for row in rows]
    except csv.Error:
        return []


def _agreement(widths: Sequence[int]) -> tuple[float, int]:
    """How many rows have the commonest width, and that width; nothing for a single column."""
    if not widths:
        return (0.0, 0)
    common = max(set(widths), key=lambda width: (widths.count(width), width))
    return (widths.count(common) / len(widths), common) if common > 1 else (0.0, 0)
