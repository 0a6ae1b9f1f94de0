"""Test collections in the layout of BEIR (Thakur et al., 2021, arXiv:2104.08663).

``corpus.jsonl`` (``_id``, ``text``, ``title``), ``queries.jsonl`` (``_id``, ``text``), and for each split
``qrels/<split>.tsv`` (query id, corpus id, score, below a header). Ids are any strings.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ragfleet_cli.errors import CliError

RELEVANT: Final = 1
_QRELS_COLUMNS: Final = 3
_QRELS_HEADER: Final = "query-id, corpus-id, score"


@dataclass(frozen=True, slots=True)
class CorpusDocument:
    """A document of the corpus; ``title`` may be empty."""

    id: str
    text: str
    title: str


@dataclass(frozen=True, slots=True)
class Dataset:
    """A collection, reduced to one split's questions.

    questions: id to text, those with at least one relevant document.
    grades: question id to document id to score, for the same questions; RELEVANT or more is relevant.
    left_out: how many questions have no relevant document.
    """

    documents: tuple[CorpusDocument, ...]
    questions: dict[str, str]
    grades: dict[str, dict[str, int]]
    left_out: int


def load_dataset(folder: Path, split: str) -> Dataset:
    """The collection in the folder. Raises CliError that names file and line of what is wrong."""
    if not folder.is_dir():
        raise CliError(
            f"{folder}: not a folder; --dataset takes one with corpus.jsonl, queries.jsonl and qrels/"
        )
    documents = _corpus(folder / "corpus.jsonl")
    texts = _queries(folder / "queries.jsonl")
    grades = _qrels(folder / "qrels" / f"{split}.tsv", texts)
    relevant = {
        query: judged
        for query, judged in grades.items()
        if any(score >= RELEVANT for score in judged.values())
    }
    if not relevant:
        raise CliError(f"{folder / 'qrels' / f'{split}.tsv'}: no question has a relevant document")
    questions = {id_: text for id_, text in texts.items() if id_ in relevant}
    return Dataset(documents, questions, relevant, left_out=len(texts) - len(questions))


def _corpus(path: Path) -> tuple[CorpusDocument, ...]:
    return tuple(
        CorpusDocument(id_, _string(entry, "text", place), _string(entry, "title", place, default=""))
        for id_, entry, place in _entries(path)
    )


def _queries(path: Path) -> dict[str, str]:
    return {id_: _string(entry, "text", place) for id_, entry, place in _entries(path)}


def _qrels(path: Path, queries: dict[str, str]) -> dict[str, dict[str, int]]:
    grades: dict[str, dict[str, int]] = {}
    reader = csv.reader((line for _, line in _lines(path)), delimiter="\t", strict=True)
    try:
        for row in reader:
            place = f"{path}:{reader.line_num}"
            if not row:
                continue
            if len(row) != _QRELS_COLUMNS:
                raise CliError(f"{place}: found {len(row)} columns; must be {_QRELS_HEADER}, between tabs")
            if reader.line_num == 1:
                if _integer(row[2]) is not None:
                    raise CliError(f"{place}: the header is missing: {_QRELS_HEADER}, between tabs")
                continue
            query, document, score = row[0], row[1], _integer(row[2])
            if score is None:
                raise CliError(f"{place}: the score is {row[2]!r}; must be an integer")
            if query not in queries:
                raise CliError(f"{place}: there is no query {query!r} in queries.jsonl")
            grades.setdefault(query, {})[document] = score
    except csv.Error as error:
        raise CliError(f"{path}:{reader.line_num}: {error}") from error
    return grades


def _entries(path: Path) -> Iterator[tuple[str, dict[str, Any], str]]:
    """Id, object and place of every line that isn't blank."""
    seen: set[str] = set()
    for number, line in _lines(path):
        place = f"{path}:{number}"
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise CliError(f"{place}: not JSON ({error})") from error
        if not isinstance(entry, dict):
            raise CliError(f"{place}: must be an object with _id and text")
        id_ = _string(entry, "_id", place)
        if id_ in seen:
            raise CliError(f"{place}: the _id {id_!r} is used twice")
        seen.add(id_)
        yield id_, entry, place
    if not seen:
        raise CliError(f"{path}: empty")


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, start=1):
                try:
                    yield number, line.decode("utf-8-sig" if number == 1 else "utf-8")
                except UnicodeDecodeError as error:
                    raise CliError(f"{path}:{number}: not UTF-8") from error
    except OSError as error:
        raise CliError(f"{path}: {(error.strerror or str(error)).lower()}") from error


def _string(entry: dict[str, Any], field: str, place: str, default: str | None = None) -> str:
    value = entry.get(field, default)
    if value is None:
        raise CliError(f"{place}: {field} is missing")
    if not isinstance(value, str):
        raise CliError(f"{place}: {field} is {json.dumps(value)[:40]}; must be a string")
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise CliError(f"{place}: {field} has half a surrogate pair; must be Unicode text") from error
    return value


def _integer(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
