"""Citation markers in a stream of text: made uniform, never cut in half, and none without its source."""

from __future__ import annotations

import re
from typing import NamedTuple

_ITEM = r"(?:sources?:?[ \t]*)?[0-9]+[ \t]*"
_NEXT = r"(?:[,;&]|and\b)[ \t]*"
_NOTE = r"(?:†[^】\n]{0,60})?"  # what some models write behind the number: 【3†L10-L12】
_LIST = rf"{_ITEM}(?:{_NEXT}{_ITEM})*"
_WHOLE = re.compile(rf"\[[ \t]*(?P<plain>{_LIST})\]|【[ \t]*(?P<wide>{_LIST}){_NOTE}】", re.IGNORECASE)
# The start of a marker whose rest hasn't come yet: whole items, then a part of one.
_WORD = r"s(?:o(?:u(?:r(?:c(?:e(?:s?:?[ \t]*)?)?)?)?)?)?"
_PART = rf"(?:{_WORD}|{_ITEM}a?n?)?"
_BEGUN = re.compile(
    rf"\[[ \t]*(?:{_ITEM}{_NEXT})*{_PART}|【[ \t]*(?:{_ITEM}{_NEXT})*{_PART}{_NOTE}", re.IGNORECASE
)
_LONGEST = 200  # what goes on for longer is no marker
_UNCLOSED = re.compile(r"[\[【][^\]】\n]*$")
_NUMBER = re.compile(r"[0-9]+")

_SPACES = re.compile(r"[ \t]+")
_TICKS = re.compile(r"`+")
_TILDES = re.compile(r"~+")
# Everything up to what could be of interest; spaces at its end may belong to a marker that is to go.
_PLAIN = re.compile(r"[^\n`\[【~]*[^\s`\[【~]")
_OPENS = ("[", "【")
_FENCE = 3
# What may stand in a line before a fence: nothing, a quotation, an item of a list.
_LINE_START = re.compile(r"[ \t>]*(?:[-*+]|[0-9]{1,3}[.)]?)?[ \t]*")
_LINE_KEPT = 16
_CLOSING = frozenset(".,;:!?)]}")

Step = tuple[int, str]  # where to go on, and what to release


class Marker(NamedTuple):
    """``text[start:end]`` of all that was released is ``[n]``."""

    n: int
    start: int
    end: int


class CitationFilter:
    """Feed it pieces of an answer; it releases text as soon as nothing in it can still become a marker.

    ``[1, 2]``, ``[1][2]``, ``【1】`` and ``[Source 1]`` become ``[1] [2]``, ``[1]``. A marker whose source
    doesn't exist is dropped, with the spaces before it. Code in fences and backticks stays as it is.
    Whitespace at both ends of the answer is left out. What is released is the same however the text was cut.
    """

    def __init__(self, sources: int) -> None:
        """Markers from 1 to ``sources`` are citations."""
        self.markers: list[Marker] = []
        self._sources = sources
        self._held = ""
        self._tail = ""  # whitespace that is only text if something follows
        self._length = 0
        self._recent = ""  # the end of what was released
        self._line = ""  # the start of the line that is being released
        self._fence = ""  # that of the code block we are in
        self._opens_block = False  # in the line of that fence
        self._ticks = 0  # length of the run of backticks that may have begun code in this line
        self._gap: str | None = None  # the spaces of a marker that was dropped just now
        self._is_after_marker = False

    def feed(self, piece: str) -> str:
        """What can be released now that this has come."""
        return self._advance(self._held + piece, is_end=False)

    def finish(self) -> str:
        """The rest, now that nothing more comes."""
        return self._advance(self._held, is_end=True)

    def _advance(self, text: str, *, is_end: bool) -> str:
        released = []
        at = 0
        while at < len(text):
            step = self._code(text, at, is_end) if self._fence else self._prose(text, at, is_end)
            if step is None:
                break
            at, out = step
            released.append(self._keep(out))
        self._held = text[at:]
        return "".join(released)

    def _keep(self, text: str) -> str:
        """Count what is released, without the whitespace at both ends of the answer."""
        self._recent = (self._recent + text)[-_LONGEST:]
        _, newline, last = text.rpartition("\n")
        self._line = last[:_LINE_KEPT] if newline else (self._line + last)[:_LINE_KEPT]
        if not self._length:
            text = text.lstrip()
        self._length += len(text)
        text = self._tail + text
        kept = text.rstrip()
        self._tail = text[len(kept) :]
        return kept

    def _code(self, text: str, at: int, is_end: bool) -> Step | None:
        """The next step in a fenced block; None where more must come first."""
        newline = text.find("\n", at)
        end = newline + 1 or len(text)
        if self._opens_block:
            ticks = text.find("`", at, end) if self._fence[0] == "`" else -1
            if ticks >= 0:  # a line with more of them opens no block
                self._ticks, self._fence, self._opens_block = len(self._fence), "", False
                return ticks, text[at:ticks]
            self._opens_block = newline < 0
        elif not self._line:
            run = at + len(text[at:]) - len(text[at:].lstrip(" \t"))
            stop = run + len(text[run:]) - len(text[run:].lstrip(self._fence[0]))
            following = text[stop:].lstrip(" \t")[:1]
            if not following and not is_end:
                return None
            if stop - run >= len(self._fence) and following in ("", "\n", "\r", *_OPENS):
                self._fence = ""
                return stop, text[at:stop]
        return end, text[at:end]

    def _prose(self, text: str, at: int, is_end: bool) -> Step | None:
        """The next step outside of fenced blocks; None where more must come first."""
        spaces = _SPACES.match(text, at)
        begin = spaces.end() if spaces else at
        if begin == len(text) and not is_end:
            return None
        if text.startswith(_OPENS, begin):
            return self._bracket(text, at, begin, is_end)
        if spaces:
            # A dropped marker at the start of a line takes the spaces after it along.
            return begin, "" if self._gap is not None and not self._line else self._plain(spaces[0])
        starts_line = _LINE_START.fullmatch(self._line) is not None
        run = _TICKS.match(text, at) or (_TILDES.match(text, at) if starts_line else None)
        if run is not None:
            if run.end() == len(text) and not is_end:
                return None
            self._open_or_close(run[0], starts_line=starts_line)
            return run.end(), self._plain(run[0])
        if text[at] == "\n":
            self._ticks = 0
        plain = _PLAIN.match(text, at)
        end = plain.end() if plain else at + 1
        return end, self._plain(text[at:end])

    def _plain(self, text: str) -> str:
        """Ordinary text; what a dropped marker held apart stays apart."""
        gap = self._gap if self._gap and not (text[0].isspace() or text[0] in _CLOSING) else ""
        self._gap, self._is_after_marker = None, False
        return gap + text

    def _open_or_close(self, run: str, *, starts_line: bool) -> None:
        if starts_line and not self._ticks and len(run) >= _FENCE:
            self._fence, self._opens_block = run, True
        elif run[0] == "`":
            self._ticks = 0 if self._ticks == len(run) else self._ticks or len(run)

    def _bracket(self, text: str, at: int, begin: int, is_end: bool) -> Step | None:
        """What begins with a bracket at ``begin``, after the spaces from ``at`` on."""
        whole = _WHOLE.match(text, begin, begin + _LONGEST)
        if whole is None:
            rest = text[begin : begin + _LONGEST]
            if not is_end and len(rest) < _LONGEST and _BEGUN.fullmatch(rest):
                return None
            return begin + 1, self._plain(text[at : begin + 1])
        if self._ticks:
            # Code or not: the rest of the line tells, where a run of the same length ends it.
            end = re.compile(rf"(?<!`)`{{{self._ticks}}}(?!`)|\n").search(text, whole.end())
            is_code = end is not None and end[0] != "\n"
            if not is_end and (end is None or (is_code and end.end() == len(text))):
                return None
            self._ticks = 0
            if end is not None and is_code:
                return end.end(), self._plain(text[at : end.end()])
        return whole.end(), self._marker(text[at:begin], whole["plain"] or whole["wide"])

    def _marker(self, spaces: str, items: str) -> str:
        known = [n for n in map(int, _NUMBER.findall(items)) if 1 <= n <= self._sources]
        if not known:
            self._gap = self._gap or spaces
            # Without it, what stood around the marker could read as another one: "[[9]9]", "[9[9]]".
            return " " if _UNCLOSED.search(self._recent) else ""
        separator = spaces or self._gap or (" " if self._is_after_marker else "")
        if not self._length:
            separator = ""
        out = ""
        for n in dict.fromkeys(known):
            out += separator
            start = self._length + len(out)
            out += f"[{n}]"
            self.markers.append(Marker(n, start, self._length + len(out)))
            separator = " "
        self._gap, self._is_after_marker = None, True
        return out
