"""Bars and the table that shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Bar:
    """A measured figure and what it must reach."""

    name: str
    figure: float
    must_be: Literal["<=", ">=", "=="]
    bar: float
    unit: str
    detail: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the figure reaches the bar."""
        if self.must_be == "<=":
            return self.figure <= self.bar
        return self.figure >= self.bar if self.must_be == ">=" else self.figure == self.bar


def show(bars: Sequence[Bar], skipped: Sequence[str]) -> bool:
    """Print the table; returns whether every bar is reached."""
    table = Table(title="ragfleet bench")
    for column in ("what", "measured", "bar", "", "from"):
        table.add_column(column, justify="right" if column in ("measured", "bar") else "left")
    for bar in bars:
        table.add_row(
            bar.name,
            f"{bar.figure:.3f} {bar.unit}".strip(),
            f"{bar.must_be} {bar.bar:g} {bar.unit}".strip(),
            "reached" if bar.is_reached else "MISSED",
            bar.detail,
        )
    console = Console(width=150)
    console.print(table)
    for reason in skipped:
        console.print(f"skipped: {reason}")
    return all(bar.is_reached for bar in bars)
