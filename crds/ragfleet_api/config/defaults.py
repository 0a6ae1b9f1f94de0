"""Values that were left out."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def default(value: T | None, otherwise: T) -> T:
    """The value, or what stands for it where it was left out."""
    return otherwise if value is None else value
