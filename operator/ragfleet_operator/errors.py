"""What keeps the operator from running."""

from __future__ import annotations


class OperatorError(Exception):
    """Something that the person who starts the operator can put right; one line that says what."""
