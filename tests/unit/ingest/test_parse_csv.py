from __future__ import annotations

import pytest

from ragfleet_runtime.ingest.model import Kind, ParseError
from ragfleet_runtime.ingest.parse.csv import parse_csv
from ragfleet_runtime.ingest.parse.registry import parse


def rows(text: str) -> list[str]:
    return parse_csv(text).text.split("\n")


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_each_row_has_the_names_of_its_columns(delimiter: str) -> None:
    text = (
        "name|city\nAnn|Rome\nBob|Oslo, Norway\n" if delimiter == "|" else "name|city\nAnn|Rome\nBob|Oslo\n"
    )
    lines = rows(text.replace("|", delimiter))
    assert lines[0] == "name: Ann; city: Rome"
    assert lines[1].startswith("name: Bob; city: Oslo")


def test_semicolons_with_decimal_commas() -> None:
    assert rows("Ware;Preis\nBrot;3,50\nMilch;1,20\n") == [
        "Ware: Brot; Preis: 3,50",
        "Ware: Milch; Preis: 1,20",
    ]


def test_quotes_hold_delimiters_quotes_and_newlines() -> None:
    text = 'name,note\nAnn,"one, two"\nBob,"she said ""no"",\nthen left"\n'
    assert rows(text) == ["name: Ann; note: one, two", 'name: Bob; note: she said "no", then left']


def test_ragged_rows() -> None:
    assert rows("a,b\n1,2,3\n4\n\n,\n5,\n") == ["a: 1; b: 2; column 3: 3", "a: 4", "a: 5"]


@pytest.mark.parametrize("first", ["1,2", "a,", "a,a", "a,3.5 %", "a,2024-05-01"])
def test_a_first_row_that_names_nothing_is_data(first: str) -> None:
    assert rows(f"{first}\n3,4\n")[1] == "column 1: 3; column 2: 4"


def test_a_header_alone_is_data() -> None:
    assert rows("a,b\n") == ["column 1: a; column 2: b"]


def test_one_column() -> None:
    assert rows("name\nAnn\nBob, the builder\n")[0] == "name: Ann"


def test_a_huge_field() -> None:
    text = "id,text\n1," + "x" * 300_000 + "\n"
    assert parse_csv(text).text == "id: 1; text: " + "x" * 300_000


def test_a_quote_that_never_closes() -> None:
    assert rows('a,b\n1,"two\n3,4\n') == ["a: 1; b: two 3,4"]


def test_kind_and_type() -> None:
    parsed = parse(b"a\tb\nx, y\tz\n", "t.tsv", None)
    assert parsed.kind is Kind.TABLE
    assert parsed.text == "a: x, y; b: z"


def test_a_table_of_nothing_is_empty() -> None:
    with pytest.raises(ParseError, match="the document is empty"):
        parse(b",,\n,,\n", "t.csv", None)
