"""Bytes of a text file to text."""

from __future__ import annotations

import codecs
import re

from ragfleet_runtime.ingest.model import ParseError

_BYTE_ORDER_MARKS = (  # UTF-32 first: its little-endian mark begins with that of UTF-16
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_NOT_ASCII = re.compile(rb"[\x80-\xff]")
_SAMPLE_BYTES = 64 * 1024
_BEFORE_FIRST = 1024

# In Western text read as Windows-1252, accented letters and typographic marks stand alone among ASCII; in
# another alphabet read so, they come in runs, and signs stand inside words.
_FOREIGN = re.compile(
    r"[^\x00-\x7f]{4}|(?<=[^\W\d_])[\x80-\x9f\xa1-\xb6\xb8-\xbf\xd7\xf7](?=[^\W\d_])|[\x80-\x9f]"
)


def decode_text(data: bytes, declared: str | None = None) -> str:
    """The text, with every line end as a line feed.

    A byte order mark decides, then UTF-8 if it fits, then the declared encoding if it fits, then a guess.
    Raises ParseError for an encoding that can't be told.
    """
    return re.sub(r"\r\n?", "\n", _decode(data, declared))


def has_byte_order_mark(data: bytes) -> bool:
    """Whether the data says by its first bytes that it is Unicode text."""
    return any(data.startswith(mark) for mark, _ in _BYTE_ORDER_MARKS)


def _decode(data: bytes, declared: str | None) -> str:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _decode_marked(data, encoding)
    text = _strictly(data, "utf-8")
    if text is None and declared is not None:
        text = _strictly(data, declared)
    if text is None:
        text = _damaged_utf8(data)
    if text is None:
        text = _strictly(data, _guess(data))
    if text is None:
        raise ParseError("the text's encoding can't be told: save the file as UTF-8")
    return text


def _decode_marked(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        raise ParseError(
            f"the file begins as {error.encoding} text, but byte {error.start} is not: save it as UTF-8"
        ) from None


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except (UnicodeDecodeError, LookupError):
        return None


def _damaged_utf8(data: bytes) -> str | None:
    """UTF-8 with a few wrong bytes, e.g. cut in the middle of a character; they become U+FFFD."""
    text = data.decode("utf-8", "replace")
    wrong = text.count("\ufffd")
    beyond_ascii = sum(1 for _ in re.finditer(r"[^\x00-\x7f]", text))
    return text if beyond_ascii > 10 * wrong else None


def _guess(data: bytes) -> str:
    """The encoding of text that isn't UTF-8; Windows-1252 wherever it is as likely as any other."""
    from charset_normalizer import from_bytes  # noqa: PLC0415, slow to import, and seldom needed

    first = _NOT_ASCII.search(data)
    start = max(0, first.start() - _BEFORE_FIRST) if first is not None else 0
    sample = data[start : start + _SAMPLE_BYTES]
    matches = from_bytes(sample)
    best = matches.best()
    if best is None or best.coherence == 0:
        western = _FOREIGN.search(sample.decode("cp1252", "replace").replace("\ufffd", "\x80")) is None
        return "cp1252" if western or best is None else best.encoding
    as_good = (match for match in matches if (match.chaos, -match.coherence) <= (best.chaos, -best.coherence))
    western = any("cp1252" in match.could_be_from_charset for match in as_good)
    return "cp1252" if western else best.encoding
