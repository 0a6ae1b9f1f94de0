"""What some models say to themselves before they answer."""

from __future__ import annotations

_OPEN = "<think>"
_CLOSE = "</think>"


class ThinkingFilter:
    """Leaves out ``<think>...</think>`` at the start of a reply.

    Reasoning models write it into their text where their server isn't told to keep it apart.
    """

    def __init__(self) -> None:
        self._held = ""
        self._is_thinking = False
        self._is_over = False

    def feed(self, piece: str) -> str:
        """What belongs to the answer, of what is known by now."""
        if self._is_over:
            return piece
        self._held += piece
        if not self._is_thinking:
            begun = self._held.lstrip()
            if len(begun) < len(_OPEN) and _OPEN.startswith(begun):
                return ""
            if not begun.startswith(_OPEN):
                return self._end(self._held)
            self._is_thinking = True
        _, closed, rest = self._held.partition(_CLOSE)
        if closed:
            return self._end(rest)
        self._held = self._held[-len(_CLOSE) :]
        return ""

    def finish(self) -> str:
        """What was held back and turned out to be text."""
        return "" if self._is_thinking else self._held

    def _end(self, rest: str) -> str:
        self._held, self._is_over = "", True
        return rest
