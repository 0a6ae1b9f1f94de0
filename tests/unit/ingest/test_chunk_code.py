from __future__ import annotations

import warnings

import pytest

from ragfleet_runtime.ingest.chunk.adaptive import chunk
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Kind

STORE = '''"""A store."""

import os

LIMIT = 3


# Keeps things.
@register
class Store:
    """Keeps."""

    size = 0

    # Puts one.
    @locked
    def put(self, key, value):
        """Put it."""
        self.items[key] = value

    async def get(self, key):
        class Missing(Exception):
            pass

        return self.items[key]


def main():
    Store().put(1, 2)


if __name__ == "__main__":
    main()
'''


def pieces(text: str, max_tokens: int, kind: Kind = Kind.PYTHON) -> list[tuple[tuple[str, ...], str]]:
    chunks = chunk(text, kind, ChunkSettings("Adaptive", max_tokens, 0))
    return [(c.headings, text[c.start : c.end]) for c in chunks]


def test_functions_and_classes_that_fit_stay_whole() -> None:
    found = pieces(STORE, 200)
    assert [path for path, _ in found] == [(), ("class Store",), ("def main",), ()]
    assert found[0][1] == '"""A store."""\n\nimport os\n\nLIMIT = 3'
    assert found[1][1].startswith("# Keeps things.\n@register\nclass Store:")
    assert found[1][1].endswith("return self.items[key]")
    assert found[3][1].startswith("if __name__")


def test_a_class_that_does_not_fit_is_cut_by_method() -> None:
    found = pieces(STORE, 50)
    assert [path for path, _ in found] == [
        (),
        ("class Store",),
        ("class Store", "def put"),
        ("class Store", "def get"),
        ("def main",),
        (),
    ]
    assert found[1][1].endswith("size = 0")
    assert found[2][1].startswith("# Puts one.\n    @locked\n    def put")


def test_a_function_that_does_not_fit_is_cut_at_lines() -> None:
    text = "def f():\n" + "\n".join(f"    x{i} = {i}" for i in range(20))
    found = pieces(text, 16)
    assert {path for path, _ in found} == {("def f",)}
    assert all(line.strip().startswith(("x", "def")) for _, body in found for line in body.split("\n"))


@pytest.mark.parametrize(
    "text",
    [
        "def f(:\n    pass\n\nclass X\n    y = 1\n",
        "print 'Python 2'\n\nexec code\n",
        "(" * 100_000,
        "-" * 100_000 + "1",
        "x" + ".a" * 50_000,
        "f" + "()" * 50_000,
        "if x:\n pass\n" + "elif x:\n pass\n" * 10_000,
        "x = 1\n" * 100_000,
        "\ufeffx = 1\n",
    ],
)
def test_what_cannot_be_parsed_is_cut_as_other_code(text: str) -> None:
    found = pieces(text, 64)
    assert found
    assert {path for path, _ in found} == {()}


def test_warnings_about_the_document_are_its_own() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pieces('def f():\n    return "\\d" is 1\n', 64)[0][0] == ("def f",)


def test_lines_end_where_python_ends_them() -> None:
    text = 'X = "a\u2028b\x0cc"\r\ndef f():\r\n    pass\r\ndef g():\r    pass\n'
    assert pieces(text, 64) == [
        ((), 'X = "a\u2028b\x0cc"'),
        (("def f",), "def f():\r\n    pass"),
        (("def g",), "def g():\r    pass"),
    ]


GO = """package store

import (
	"fmt"

	"os"
)

// Put puts { one.
func Put(key string) {
	s := "} \\" {"

	t := `raw }
	string {

`
	fmt.Println(s, t)
}

/* block {

*/
func Get() int {
	return '{'
}
"""


def test_blocks_end_at_the_top_level() -> None:
    assert [body.split("\n")[0] for _, body in pieces(GO, 45, Kind.CODE)] == [
        "package store",
        "// Put puts { one.",
        "/* block {",
    ]


def test_a_misread_quote_is_put_right_at_the_next_closing_brace() -> None:
    functions = [
        "fn a<'x>(y: &'x str) {\n    it's(\n}",
        "fn b() {\n    one(2, 3, 4)\n}",
        "fn c() {\n    5\n}",
    ]
    assert [body for _, body in pieces("\n\n".join(functions), 20, Kind.CODE)] == functions


def test_indentation_keeps_blocks_together() -> None:
    ruby = "def a\n  one\n\n  two\n\nend\n\ndef b\n  three\nend\n"
    assert [body for _, body in pieces(ruby, 8, Kind.CODE)] == [
        "def a\n  one\n\n  two\n\nend",
        "def b\n  three\nend",
    ]


def test_small_blocks_share_a_chunk() -> None:
    assert len(pieces("a = 1\n\nb = 2\n\nc = 3\n", 64, Kind.CODE)) == 1


def test_a_comment_that_never_closes_hides_nothing() -> None:
    shell = "rm -rf /tmp/*\n\nfirst one\n\nsecond one\n"
    assert [body for _, body in pieces(shell, 8, Kind.CODE)] == ["rm -rf /tmp/*", "first one\n\nsecond one"]
