"""YAML as kubectl reads it, with lines, and with limits."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ragfleet_api import yaml_lines
from ragfleet_api.problems import ManifestError
from ragfleet_api.yaml_lines import MAX_DEPTH, MAX_VALUES, read_documents


@pytest.fixture(params=["libyaml", "python"], autouse=True)
def loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both of PyYAML's parsers: which one is there depends on the platform."""
    if request.param == "python":
        monkeypatch.setattr(yaml_lines, "_Loader", yaml.SafeLoader)
    elif not yaml.__with_libyaml__:
        pytest.skip("PyYAML was built without libyaml")


def value(text: str) -> Any:
    (document,) = read_documents(text, "f.yaml")
    return document.value


def told(text: str) -> str:
    with pytest.raises(ManifestError) as caught:
        read_documents(text, "f.yaml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5", 5),
        ("-5", -5),
        ("010", 8),
        ("0x10", 16),
        ("1_000", 1000),
        ("1.5", 1.5),
        ("1:30", "1:30"),
        ("1:30.5", "1:30.5"),
        ("true", True),
        ("off", False),
        ("y", "y"),
        ("'true'", "true"),
        ('"5"', "5"),
        ("!!str 5", "5"),
        ("2025-01-31", "2025-01-31"),
        ("=", "="),
        ("ragfleet.dev/v1alpha1", "ragfleet.dev/v1alpha1"),
        ("|\n  two\n  lines\n", "two\nlines\n"),
        ("[1, {a: ~}, []]", [1, {"a": None}, []]),
        ("{'5': a, null: b}".replace("null", '"null"'), {"5": "a", "null": "b"}),
    ],
)
def test_values(text: str, expected: Any) -> None:
    assert value(text) == expected
    assert type(value(text)) is type(expected)


def test_lines_are_those_of_keys_and_items() -> None:
    text = "# comment\na:\n  b:\n    5\n  c: [1,\n    2]\n---\nd: 6\n"
    first, second = read_documents(text, "f.yaml")
    assert first.lines == {(): 2, ("a",): 2, ("a", "b"): 3, ("a", "c"): 5, ("a", "c", 0): 5, ("a", "c", 1): 6}
    assert second.lines == {(): 8, ("d",): 8}


def test_aliases_and_merges() -> None:
    text = """\
base: &base {a: 1, b: 2}
more: &more {b: 3, c: 4}
use:
  <<: [*base, *more]
  a: 9
also: *more
"""
    assert value(text)["use"] == {"a": 9, "b": 2, "c": 4}
    assert value(text)["also"] == {"b": 3, "c": 4}
    (document,) = read_documents(text, "f.yaml")
    assert document.lines[("use", "a")] == 5
    assert document.lines[("use", "c")] == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3\n", "f.yaml:3: a: duplicate key; it is already at line 1"),
        ("x: {a: 1, a: 1}", "f.yaml:1: x.a: duplicate key; it is already at line 1"),
        ("a: {on: b}", "f.yaml:1: a: the key on is not a string; put it in quotes"),
        ("? [a]\n: 1\n", "f.yaml:1: a key must be a string, not a list or an object"),
        ("a: !secret b", "f.yaml:1: a: the tag !secret is not allowed"),
        ("a: !!set {b: }", "f.yaml:1: a: the tag !!set is not allowed"),
        ("a: !!binary aGk=", "f.yaml:1: a: the tag !!binary is not allowed"),
        ("a: !!int b", "f.yaml:1: a: cannot be read as !!int"),
        ("a: !!bool b", "f.yaml:1: a: cannot be read as !!bool"),
        ("<<: 5", "f.yaml:1: << takes an object or a list of objects"),
        ("a: 1\nb: \0", "f.yaml:2: character U+0000 is not allowed in YAML"),
        ("a: " + "9" * 5000, "f.yaml:1: a: cannot be read as !!int"),
    ],
)
def test_what_is_not_json(text: str, message: str) -> None:
    assert told(text) == message


def test_all_duplicates_of_all_documents_are_told() -> None:
    assert told("a: 1\na: 2\na: 3\n---\nb: 1\nb: 2\n").splitlines() == [
        "f.yaml:2: a: duplicate key; it is already at line 1",
        "f.yaml:3: a: duplicate key; it is already at line 1",
        "f.yaml:6: b: duplicate key; it is already at line 5",
    ]


@pytest.mark.parametrize(
    ("text", "line", "part"),
    [
        ("a:\n\tb: 1\n", 2, "cannot start any token"),
        ("a: [1, 2\nb: 3\n", 2, "expected ',' or ']'"),
        ("a: 'unclosed\n", 2, "unexpected end of stream"),
        ("a: b: c\n", 1, "mapping values are not allowed"),
        ("a: *nothing\n", 1, "undefined alias"),
    ],
)
def test_what_is_not_yaml(text: str, line: int, part: str) -> None:
    message = told(text)
    assert message.startswith(f"f.yaml:{line}: not YAML: ")
    assert part in message
    assert "(column " in message
    assert "\n" not in message
    assert ("indent with spaces, not tabs" in message) == ("\t" in text)


def test_depth_is_limited() -> None:
    assert value("[" * MAX_DEPTH + "]" * MAX_DEPTH)
    for depth in (MAX_DEPTH + 1, 100_000):
        assert told("[" * depth) == f"f.yaml:1: more than {MAX_DEPTH} levels of nesting"


def test_an_alias_to_itself_is_refused() -> None:
    assert told("a: &a [*a]") == f"f.yaml:1: more than {MAX_DEPTH} levels of nesting"
    assert told("a: &a {<<: *a}") == f"f.yaml:1: more than {MAX_DEPTH} levels of nesting"


@pytest.mark.parametrize("shape", ["[{}]", "{{<<: [{}]}}"], ids=["lists", "merges"])
def test_aliases_that_multiply_are_refused(shape: str) -> None:
    lines = ["a0: &a0 {x: y}"]
    lines += [f"a{n}: &a{n} " + shape.format(", ".join([f"*a{n - 1}"] * 9)) for n in range(1, 20)]
    assert "are aliases multiplying them?" in told("\n".join(lines))


def test_many_values_are_refused() -> None:
    assert len(value("[" + "1," * (MAX_VALUES - 1) + "]")) == MAX_VALUES - 1
    assert told("[" + "1," * MAX_VALUES + "]") == (
        f"f.yaml:1: more than {MAX_VALUES} values; are aliases multiplying them?"
    )
