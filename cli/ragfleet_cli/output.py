"""What is printed: results to standard output, everything else to standard error."""

from __future__ import annotations

import json
import sys
from typing import Any

import typer

# A document's control characters must not reach the terminal, where they could do more than be shown.
_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(0x20), *range(0x7F, 0xA0))
    if chr(code) not in "\n\t"
}


def emit(text: str = "") -> None:
    """Print a line of the result."""
    typer.echo(printable(text))


def emit_part(text: str) -> None:
    """Print a part of the result at once, without ending the line."""
    typer.echo(printable(text), nl=False)
    sys.stdout.flush()


def emit_json(value: Any) -> None:
    """Print the result as JSON: indented on a terminal, else one line."""
    indent = 2 if is_terminal(sys.stdout) else None
    typer.echo(json.dumps(value, indent=indent, ensure_ascii=False))


def note(text: str) -> None:
    """Print a line that is not part of the result."""
    typer.echo(printable(text), err=True)


def printable(text: str) -> str:
    """The text with control characters, except line feeds and tabs, replaced."""
    return text.translate(_CONTROLS)


def one_line(text: str, limit: int) -> str:
    """The text on one line, cut to ``limit`` characters."""
    flat = " ".join(text.split())
    return flat if len(flat) <= limit else flat[: limit - 1].rstrip() + "…"


def is_terminal(stream: Any) -> bool:
    """Whether a person looks at the stream."""
    return stream is not None and stream.isatty()
