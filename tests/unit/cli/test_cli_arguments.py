from __future__ import annotations

import pytest

from ragfleet_cli.arguments import filters_from, metadata_from, text_from
from ragfleet_cli.errors import CliError


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("team=platform", "platform"),
        ("year=2024", 2024),
        ("rate=0.5", 0.5),
        ("draft=true", True),
        ('year="2024"', "2024"),
        ("code=007", "007"),
        ("void=null", "null"),
        ("list=[1]", "[1]"),
        ("big=1e999", "1e999"),
        ("odd=NaN", "NaN"),
        ("formula=a=b", "a=b"),
        ("empty=", ""),
    ],
)
def test_values(argument: str, expected: object) -> None:
    (value,) = metadata_from([argument]).values()
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize("argument", ["team", "=platform", " =x", ""])
def test_a_pair_needs_a_key_and_an_equals_sign(argument: str) -> None:
    with pytest.raises(CliError, match="must be KEY=VALUE"):
        metadata_from([argument])


def test_a_key_of_metadata_is_given_once() -> None:
    with pytest.raises(CliError, match="--metadata a=2: a is given twice"):
        metadata_from(["a=1", "a=2"])


def test_a_filter_key_given_twice_means_any_of_its_values() -> None:
    assert filters_from(["team=a", "year=2024", "year=2025"]) == {"team": "a", "year": [2024, 2025]}


def test_bytes_that_are_not_text_are_refused() -> None:
    with pytest.raises(CliError, match="QUESTION: not UTF-8 text"):
        text_from("caf\udce9", "QUESTION")
    with pytest.raises(CliError, match="--filter: not UTF-8 text"):
        filters_from(["a=\udce9"])
