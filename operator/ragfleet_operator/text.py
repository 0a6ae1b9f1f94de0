"""Texts of other programs, made fit for a status, an error or a log."""

from __future__ import annotations

from typing import Final

MAX_MESSAGE: Final = 1000


def one_line(text: str, limit: int = MAX_MESSAGE) -> str:
    """The text on one line without control characters, cut at ``limit`` characters."""
    if not text.isprintable():
        text = "".join(character if character.isprintable() else " " for character in text)
    line = " ".join(text.split())
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def listed(items: list[str], limit: int) -> str:
    """The first ``limit`` items in one sentence, and how many more there are."""
    more = [f"and {len(items) - limit} more"] if len(items) > limit else []
    return "; ".join([*items[:limit], *more])
