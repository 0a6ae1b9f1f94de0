from __future__ import annotations

import os
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from ragfleet_runtime.errors import StartError
from ragfleet_runtime.generate import tokens
from ragfleet_runtime.generate.tokens import EstimatedTokenizer, FileTokenizer

REPOSITORY = Path(__file__).parents[3]
MINILM = REPOSITORY.parent / "shared/models/all-MiniLM-L6-v2-onnx-int8"

DOCUMENTS = sorted((REPOSITORY / "examples/quickstart/docs").glob("*.md"))
TEXTS = {
    "prose": "\n".join(path.read_text() for path in DOCUMENTS),
    "code": Path(tokens.__file__).read_text(),
    "table": (REPOSITORY / "examples/quickstart/docs/error-codes.csv").read_text(),
}


@pytest.fixture(scope="module")
def minilm() -> FileTokenizer:
    if not MINILM.is_dir():
        if os.environ.get("CI"):
            pytest.fail(f"needs {MINILM}")
        pytest.skip(f"needs {MINILM}")
    return FileTokenizer(str(MINILM))


@pytest.mark.parametrize("kind", TEXTS)
def test_the_estimate_is_a_little_above_a_models_own_count(kind: str, minilm: FileTokenizer) -> None:
    real = minilm.count(TEXTS[kind])
    assert real <= EstimatedTokenizer().count(TEXTS[kind]) <= 1.25 * real


def test_the_estimate_is_seldom_below_the_count_of_a_passage(minilm: FileTokenizer) -> None:
    passages = [text[i : i + 1000] for text in TEXTS.values() for i in range(0, len(text), 1000)]
    estimate = EstimatedTokenizer()
    below = [p for p in passages if estimate.count(p) < minilm.count(p)]
    assert len(below) <= 0.1 * len(passages)
    assert all(estimate.count(p) >= 0.9 * minilm.count(p) for p in passages)


@pytest.mark.parametrize("kind", TEXTS)
def test_the_estimate_cuts_text_as_byte_level_bpe_does(kind: str) -> None:
    pieces = pre_tokenizers.ByteLevel(add_prefix_space=False).pre_tokenize_str(TEXTS[kind])
    own = tokens._PIECE.findall(TEXTS[kind])
    assert "".join(own) == TEXTS[kind]
    assert len(own) == pytest.approx(len(pieces), rel=0.01)


@pytest.mark.parametrize(
    ("text", "least", "most"),
    [
        (
            "検索拡張生成では、文書を分割します。",
            18,
            36,
        ),  # vocabularies hold 0.7 to 1.3 tokens for such a character
        ("검색 증강 생성 시스템은 문서를 나눕니다.", 18, 48),
        ("Система разбивает документы на части.", 12, 40),
        ("🎉🚀✅", 6, 12),  # four bytes each, of which few vocabularies hold more than two in one
        ("👩‍👩‍👧‍👦", 12, 24),
        ("4111111111111111", 16, 16),  # some models read digit by digit
        ("dGhlIHF1aWNrIGJyb3duIGZveA", 12, 26),
        ("if (a[0] != b->c) { return; }", 12, 24),
        ("", 0, 0),
    ],
)
def test_the_estimate_knows_other_scripts_and_what_is_no_word(text: str, least: int, most: int) -> None:
    assert least <= EstimatedTokenizer().count(text) <= most


def test_a_tokenizer_is_read_from_its_file_or_folder(tmp_path: Path) -> None:
    made = Tokenizer(models.WordLevel({"a": 0, "?": 1}, unk_token="?"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.enable_truncation(2)
    made.save(str(tmp_path / "tokenizer.json"))
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        assert FileTokenizer(str(path)).count("a b a c a") == 5


@pytest.mark.parametrize("content", [None, "", "{", '{"model": 1}'])
def test_a_tokenizer_that_cant_be_read_stops_the_start(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "tokenizer.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(StartError, match=r"can't read the tokenizer .*tokenizerPath") as caught:
        FileTokenizer(str(path))
    assert "\n" not in str(caught.value)
