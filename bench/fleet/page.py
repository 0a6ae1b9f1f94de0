"""The page with the curve: the table between two marks, the rest by hand."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from pathlib import Path

from bench.fleet.curve import Row

_BEGIN = "<!-- figures: make bench-fleet writes what is between these marks -->"
_END = "<!-- end of figures -->"
_COLUMNS = (
    ("pipelines", "pipelines", "d"),
    ("each", "s each", ".3f"),
    ("ready", "ready after, s", ".1f"),
    ("writes", "writes each", ".2f"),
    ("cpu", "CPU s each", ".3f"),
    ("memory", "memory, MB", ".0f"),
    ("peak", "peak, MB", ".0f"),
    ("restart", "restart, s", ".1f"),
    ("passed", "all looked at, s", ".1f"),
    ("deleted", "deleted p95, s", ".2f"),
    ("edited", "edited p95, s", ".2f"),
    ("event", "spec edit p95, s", ".2f"),
    ("lag", "loop late, s", ".2f"),
)


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [[title for _, title, _ in _COLUMNS], ["---:"] * len(_COLUMNS)]
    lines += [[format(getattr(row, name), how) for name, _, how in _COLUMNS] for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def machine() -> str:
    """What the figures were measured on."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cores = len(os.sched_getaffinity(0))
    return (
        f"{cores} cores ({_model()}) and {memory:.0f} GB for everything: etcd, API server, controllers, "
        f"scheduler, KWOK, the operator and what measures them; {platform.system()}, Python "
        f"{platform.python_version()}."
    )


def write(page: Path, rows: Sequence[Row]) -> None:
    """Put machine and table between the marks. Raises ValueError where the page has none."""
    text = page.read_text()
    head, begin, rest = text.partition(_BEGIN)
    _, end, tail = rest.partition(_END)
    if not begin or not end:
        raise ValueError(f"{page.name} has no marks for the figures")
    page.write_text(f"{head}{begin}\nMeasured on {machine()}\n\n{table(rows)}\n{end}{tail}")


def _model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
