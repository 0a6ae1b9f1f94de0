from __future__ import annotations

from ragfleet_runtime.ingest.chunk.adaptive import chunk
from ragfleet_runtime.ingest.chunk.markdown import BlockKind, blocks
from ragfleet_runtime.ingest.chunk.settings import ChunkSettings
from ragfleet_runtime.ingest.chunk.tokens import count_tokens
from ragfleet_runtime.ingest.model import Kind


def sections(text: str, max_tokens: int = 64) -> list[tuple[tuple[str, ...], str]]:
    chunks = chunk(text, Kind.MARKDOWN, ChunkSettings("Adaptive", max_tokens, 0))
    return [(c.headings, text[c.start : c.end]) for c in chunks]


def test_each_section_is_a_chunk_under_its_path() -> None:
    text = "Before.\n\n# A\n\nText of A.\n\n## B ##\n\nText of B.\n\nC *and* [D](x)\n===\n\nText of C.\n"
    assert sections(text) == [
        ((), "Before."),
        (("A",), "# A\n\nText of A."),
        (("A", "B"), "## B ##\n\nText of B."),
        (("C and D",), "C *and* [D](x)\n===\n\nText of C."),
    ]


def test_a_heading_without_a_body_joins_the_next_section() -> None:
    assert sections("# A\n\n## B\n\n## C\n\nText.\n\n## D\n") == [
        (("A", "C"), "# A\n\n## B\n\n## C\n\nText."),
        (("A", "D"), "## D"),
    ]


def test_levels_may_be_left_out() -> None:
    assert [path for path, _ in sections("# A\nx\n#### B\ny\n## C\nz")] == [("A",), ("A", "B"), ("A", "C")]


def test_windows_line_ends() -> None:
    assert [path for path, _ in sections("# A\r\n\r\nx\r\n\r\nB\r\n---\r\n\r\ny\r\n")] == [("A",), ("A", "B")]


def test_what_looks_like_a_heading_in_code_is_none() -> None:
    text = "# A\n\n```sh\n# a comment\n```\n\n~~~\n# b\n```\n# c\n~~~\n\n    # c\n\n#hashtag\n####### seven"
    assert [path for path, _ in sections(text)] == [("A",)]


def test_a_fence_that_never_closes_goes_on_to_the_end() -> None:
    assert sections("# A\n\n```\n# b\n\n# c")[0][0] == ("A",)


def test_fences_and_tables_stay_whole_where_they_fit() -> None:
    fence = "```py\n" + "a = 1\n\n" * 3 + "```"
    table = "| a | b |\n|---|---|\n| 1 | 2 |"
    text = f"# A\n\n{'Words here. ' * 5}\n\n{fence}\n\n{table}"
    texts = [body for _, body in sections(text, 22)]
    assert any(fence in body for body in texts)
    assert any(table in body for body in texts)


def test_fences_and_tables_that_do_not_fit_are_cut_at_lines() -> None:
    rows = [f"| row {i} | value {i} |" for i in range(20)]
    text = "# A\n\n| name | value |\n|---|---|\n" + "\n".join(rows)
    cut = [body for _, body in sections(text, 24)]
    assert all(line in text.split("\n") for body in cut for line in body.split("\n"))
    assert len(cut) > 3


def test_long_sections_are_cut_at_paragraphs_then_sentences() -> None:
    short = "A short paragraph of a few words."
    long = " ".join(f"Sentence number {i} is here." for i in range(8))
    parts = [body for _, body in sections(f"# A\n\n{short}\n\n{short[:-1]}!\n\n{long}", 20)]
    assert parts[0] == f"# A\n\n{short}\n\n{short[:-1]}!"
    assert parts[1].startswith("Sentence number 0 is here. Sentence number 1")
    assert all(part.endswith((".", "!")) for part in parts)


def test_a_heading_does_not_stand_alone_for_want_of_room() -> None:
    text = "# Heading of it\n\n" + "One two three. " * 4
    assert sections(text, 16)[0][1].startswith("# Heading of it\n\nOne two three.")


def test_neighbouring_chunks_of_a_section_overlap() -> None:
    text = "# A\n\n" + " ".join(f"Word {i}." for i in range(12))
    one, other, *_ = chunk(text, Kind.MARKDOWN, ChunkSettings("Adaptive", 16, 4))
    assert 0 < count_tokens(text, other.start, one.end) <= 4


def test_a_runaway_heading_is_clipped_in_the_path() -> None:
    (path, _), *_ = sections("# " + "word " * 1000 + "\n\nText.")
    assert len(path[0]) <= 201
    assert path[0].endswith("word…")


def test_blocks() -> None:
    text = "---\ntitle: x\n---\nText\nmore\n- item\n  goes on\n- item\n\n"
    text += "a | b\n--|--\n1 | 2\n\n| c |\n```\n\nx\n```\n"
    found = [(block.kind.name, text[block.start : block.end]) for block in blocks(text)]
    assert found == [
        (BlockKind.PARAGRAPH.name, "---\ntitle: x\n---"),
        (BlockKind.PARAGRAPH.name, "Text\nmore"),
        (BlockKind.ITEM.name, "- item\n  goes on"),
        (BlockKind.ITEM.name, "- item"),
        (BlockKind.TABLE.name, "a | b\n--|--\n1 | 2"),
        (BlockKind.TABLE.name, "| c |"),
        (BlockKind.FENCE.name, "```\n\nx\n```"),
    ]
