"""Amounts as Kubernetes writes them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Final

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, without exponents.
_SUFFIXES: Final[Mapping[str, Fraction]] = {
    "m": Fraction(1, 1000),
    **{suffix: Fraction(1000**power) for power, suffix in enumerate(("", "k", "M", "G", "T", "P", "E"))},
    **{f"{suffix}i": Fraction(1024**power) for power, suffix in enumerate("KMGTPE", start=1)},
}


def amount(quantity: str) -> Fraction:
    """The number that a quantity stands for: "500m" and "0.5" are one. Raises ValueError, KeyError."""
    number = quantity.rstrip("mkMGTPEKi")
    return Fraction(number) * _SUFFIXES[quantity[len(number) :]]


def smaller(one: str, other: str) -> str:
    """The quantity that is less, as it is written; the first of equal ones."""
    return one if one == other else min(one, other, key=amount)


def larger(one: str, other: str) -> str:
    """The quantity that is more, as it is written; the first of equal ones."""
    return one if one == other else max(one, other, key=amount)
