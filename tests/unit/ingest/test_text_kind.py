from __future__ import annotations

import pytest

from ragfleet_runtime.ingest.model import Kind
from ragfleet_runtime.ingest.textkind import detect_text_kind

LEASE = """LEASE

1. Term
The term begins on 1 May.

1.1 The tenant may renew it once.

1.2 Notice is given in writing.

2. Rent
Rent is due on the first day of each month.
"""


@pytest.mark.parametrize(
    "text",
    [
        "# Title\n\nText.\n\n## Part\n\nMore.",
        "Title\n=====\n\nText.\n\nPart\n----\n\nMore.",
        "Run it:\n\n```sh\nmake run\n```\n\nThat is all.",
        "| a | b |\n|---|---|\n| 1 | 2 |\n",
        "a | b\n--|--\n1 | 2\n",
        "---\ntitle: Notes\n---\nText.",
        "# Title\n\n- one\n- two\n- three\n",
        "# Title\n\nSee [the guide](https://example.org/guide).",
    ],
)
def test_markdown(text: str) -> None:
    assert detect_text_kind(text) is Kind.MARKDOWN
    assert detect_text_kind(text.replace("\n", "\r\n")) is Kind.MARKDOWN


@pytest.mark.parametrize(
    "text",
    [
        LEASE,
        "§ 1 Scope\nThis act applies to all.\n§ 2 Terms\nA term is a word.",
        "Article I\nAll legislative powers are vested in a Congress.\n\nArticle II\nThe executive power.",
        "Section 1. Title.\nThis Act may be cited so.\nSection 2. Terms.\nIn this Act, words mean things.",
        "\n".join(f"{n}. " + "Words of a clause that go on for long. " * 8 for n in range(1, 5)),
    ],
)
def test_legal(text: str) -> None:
    assert detect_text_kind(text) is Kind.LEGAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "An abstract . 1 . the flow is steady . 2 . the drag is small .",
        "# one line of a shell script\nand prose after it, which goes on.",
        "We won.\n#1 in the region\n#2 in the country\n",
        "Shopping:\n1. milk\n2. bread\n3. eggs\n",
        "Three things:\n- one\n- two\n- three\n",
        "Dear all,\nit was built in\n1990. It was rebuilt in\n1995. Then it fell.\n",
        "The value was\n3.5 metres, or by another measure\n12.2 feet.\n",
        "Section 3 applies to all.\nSection 4 applies to none, and goes on for some time.\n",
        "Dear Ann,\n\nthe ruler below is my signature's.\n\n-- \nBob\n",
        "```\nnever closed\n",
        "A | B means A or B\nand nothing more\n",
        "Prices (see [1]) rose.\nWages (see [2]) did not.\n",
    ],
)
def test_prose(text: str) -> None:
    assert detect_text_kind(text) is Kind.PROSE
