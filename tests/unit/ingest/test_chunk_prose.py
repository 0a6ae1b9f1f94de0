from __future__ import annotations

import pytest

from ragfleet_runtime.ingest.chunk.adaptive import chunk
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.model import Kind

SETTINGS = ChunkSettings("Adaptive", 16, 6)


def passages(text: str, kind: Kind = Kind.PROSE, settings: ChunkSettings = SETTINGS) -> list[str]:
    return [text[c.start : c.end] for c in chunk(text, kind, settings)]


def test_a_short_text_is_one_chunk() -> None:
    assert passages("\n  Short. And sweet. \n") == ["Short. And sweet."]


@pytest.mark.parametrize("text", ["", " \n\t"])
def test_a_blank_text_has_no_chunk(text: str) -> None:
    assert passages(text) == []


def test_sentences_are_whole_and_neighbours_overlap() -> None:
    text = "One two three four five. Six seven eight nine. Ten is here. Eleven twelve thirteen fourteen."
    assert passages(text) == [
        "One two three four five. Six seven eight nine. Ten is here.",
        "Ten is here. Eleven twelve thirteen fourteen.",
    ]


def test_equal_chunks_are_kept_once() -> None:
    sentence = "The very same words stand here once again and then again, you see."
    assert passages(" ".join([sentence] * 5)) == [sentence]


def test_rows_are_whole_and_do_not_overlap() -> None:
    text = "name: Ann; city: Rome\nname: Bob; city: Oslo\nname: Cy; city: Bonn\n"
    assert passages(text, Kind.TABLE) == [
        "name: Ann; city: Rome\nname: Bob; city: Oslo",
        "name: Cy; city: Bonn",
    ]


def test_a_strategy_is_the_same_for_all_kinds() -> None:
    text = "# A\n\nText. More text.\n\n# B\n\nText."
    for kind in Kind:
        assert len(passages(text, kind, ChunkSettings("Heading", 64, 0))) == 2
        assert len(passages(text, kind, ChunkSettings("Sentence", 64, 0))) == 1


def test_an_unknown_strategy_is_an_error() -> None:
    with pytest.raises(ValueError, match="Paragraph"):
        chunk("x", Kind.PROSE, ChunkSettings("Paragraph", 64, 0))
