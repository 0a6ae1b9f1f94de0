from __future__ import annotations

import pickle
import subprocess
import sys

import pytest

from ragfleet_api.config.runtime import ChunkingConfig
from ragfleet_runtime.ingest.analyse import Analysed, Recipe, analyse_texts
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Kind, ParseError
from ragfleet_runtime.ingest.prepare import prepare_file, prepare_text, rechunk

SETTINGS = ChunkSettings("Adaptive", 64, 8)


def test_a_file() -> None:
    prepared = prepare_file(b"# A\n\nText.\n\n# B\n\nMore.\n", "a.md", None, SETTINGS)
    assert prepared.parsed.title == "A"
    assert [c.headings for c in prepared.chunks] == [("A",), ("B",)]


def test_a_text_is_unchanged() -> None:
    text = " Line one.\r\nLine two. \n"
    prepared = prepare_text(text, SETTINGS)
    assert prepared.parsed.text == text
    assert prepared.parsed.kind is Kind.PROSE
    assert prepared.parsed.metadata == {}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "the document is empty"),
        (" \n", "the document is empty"),
        ("ab\0c", "NUL at character 2"),
        ("ab\ud800c", "surrogate pair at character 2"),
    ],
)
def test_text_that_cannot_be_kept(text: str, message: str) -> None:
    with pytest.raises(ParseError, match=message):
        prepare_text(text, SETTINGS)


def test_one_bad_text_of_several() -> None:
    recipe = Recipe(SETTINGS, "English")
    texts = [("Good.", "Title"), ("b\0d", None), ("Also good.", None)]
    good, bad, also_good = analyse_texts(texts, recipe)
    assert isinstance(good, Analysed)
    assert good.title == "Title"
    assert sorted(good.counts[0].values()) == [1, 1]  # "titl" and "good", each once
    assert isinstance(bad, str)
    assert isinstance(also_good, Analysed)
    assert "NUL" in bad


def test_chunks_made_again_are_the_same() -> None:
    prepared = prepare_file(b"def f():\n    pass\n", "a.py", None, SETTINGS)
    assert rechunk(prepared.parsed.text, prepared.parsed.kind, SETTINGS) == prepared.chunks


def test_what_goes_between_processes_pickles() -> None:
    prepared = prepare_text("Some text.", SETTINGS)
    assert pickle.loads(pickle.dumps((prepare_text, prepared, SETTINGS))) == (
        prepare_text,
        prepared,
        SETTINGS,
    )


def test_settings_of_a_configuration() -> None:
    config = ChunkingConfig(strategy="Heading", max_tokens=99, overlap_tokens=9)
    assert ChunkSettings.of(config) == ChunkSettings("Heading", 99, 9)


def test_a_worker_loads_no_web_framework_and_no_parser_it_does_not_need() -> None:
    heavy = [
        "pydantic",
        "fastapi",
        "asyncio",
        "docx",
        "lxml",
        "pypdfium2",
        "selectolax",
        "charset_normalizer",
    ]
    code = (
        "import sys; from ragfleet_runtime.ingest.prepare import *;"
        "prepare_file(b'# A', 'a.md', None, __import__('ragfleet_runtime.ingest.chunk.settings',"
        f"fromlist=['x']).ChunkSettings('Adaptive', 64, 8)); print([m for m in {heavy} if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"
