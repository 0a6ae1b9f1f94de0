"""Names that a misspelt one may stand for."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches


def suggestion(given: object, allowed: Collection[str]) -> str:
    """``"did you mean maxTokens? "``, or nothing when no name is close. Case does not matter."""
    if not isinstance(given, str):
        return ""
    by_folded = {name.casefold(): name for name in allowed}
    # Snake case is the usual slip of those who come from Python.
    close = get_close_matches(given.casefold().replace("_", ""), by_folded, n=1)
    return f"did you mean {by_folded[close[0]]}? " if close else ""
