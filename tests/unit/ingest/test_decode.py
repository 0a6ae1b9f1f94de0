from __future__ import annotations

import codecs

import pytest

from ragfleet_runtime.ingest.decode import decode_text
from ragfleet_runtime.ingest.model import ParseError


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "latin-1", "cp1252"])
@pytest.mark.parametrize(
    "text",
    [
        "café",
        "Le café est fermé à midi ; voilà l'été.\nGarçon, où est la forêt ?",
        "Straße über München, schöne Grüße",
        "¿Dónde está el niño? Mañana será otro día.",
    ],
)
def test_western_text_comes_out_right(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


def test_typographic_marks_of_windows() -> None:
    text = "He said \u201chello\u201d \u2013 it\u2019s fine\u2026 10 €"
    assert decode_text(text.encode("cp1252")) == text


@pytest.mark.parametrize("order", ["le", "be"])
def test_utf16_of_either_byte_order(order: str) -> None:
    mark = codecs.BOM_UTF16_LE if order == "le" else codecs.BOM_UTF16_BE
    assert decode_text(mark + "naïve 😀".encode(f"utf-16-{order}")) == "naïve 😀"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("Привет, как дела? Сегодня хорошая погода. ", "cp1251"),
        ("こんにちは世界。今日は天気がいいですね。", "shift_jis"),
        ("今天天气很好,我们一起去公园散步。", "gb18030"),
        ("Zażółć gęślą jaźń. Dzień dobry, proszę państwa, źródło. ", "cp1250"),
        ("Καλημέρα κόσμε, πώς είσαι σήμερα; ", "cp1253"),
    ],
)
def test_other_alphabets_are_guessed(text: str, encoding: str) -> None:
    assert decode_text((text * 8).encode(encoding)) == text * 8


def test_a_declared_encoding_is_tried_after_utf8() -> None:
    assert decode_text("Īss teksts ķīlis".encode("cp1257"), "windows-1257") == "Īss teksts ķīlis"
    assert decode_text("café".encode(), "latin-1") == "café"
    assert decode_text("café".encode("latin-1"), "no-such-encoding") == "café"


def test_a_byte_lost_from_utf8_costs_one_character() -> None:
    data = ("Größe über alles, schöne Straße. " * 3).encode()
    assert decode_text(data[:-1] + b"\xc3").count("\ufffd") == 1


def test_line_ends_become_newlines() -> None:
    assert decode_text(b"a\r\nb\rc\nd\r\r\ne") == "a\nb\nc\nd\n\ne"


def test_a_wrong_byte_order_mark_is_refused() -> None:
    with pytest.raises(ParseError, match="save it as UTF-8"):
        decode_text(codecs.BOM_UTF16_LE + b"abc")


def test_accents_far_into_a_long_file() -> None:
    text = "plain words " * 20_000 + "café " * 20 + "more words " * 20_000
    assert decode_text(text.encode("latin-1")) == text
