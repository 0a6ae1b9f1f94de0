"""Measure the operator: ``make bench-operator``, ``make bench-fleet``. Exit code 1 where a bar is missed."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from pathlib import Path

from bench.fleet import large, small
from bench.fleet.curve import Row, curve
from bench.fleet.page import machine, table, write
from bench.table import Bar, show

_PAGE = Path(__file__).parents[2] / "docs" / "fleet.md"
_ROUNDS = (*small.ROUNDS, *large.ROUNDS)


def main() -> int:
    """Measure, show the table, and tell whether every bar is reached."""
    parser = argparse.ArgumentParser(prog="bench.fleet")
    parser.add_argument("--pipelines", type=int, default=200, help="of the smaller fleet")
    parser.add_argument("--large", type=int, default=1000, help="pipelines of the larger fleet")
    parser.add_argument("--steady-seconds", type=float, default=300)
    parser.add_argument(
        "--only", nargs="+", choices=_ROUNDS, default=_ROUNDS, metavar="ROUND", help=", ".join(_ROUNDS)
    )
    parser.add_argument(
        "--curve", type=_sizes, metavar="N,N...", help="grow one fleet to these sizes instead"
    )
    parser.add_argument("--no-page", action="store_true", help="only print the curve")
    chosen = parser.parse_args()
    if chosen.curve:
        return _grow(chosen.curve, with_page=not chosen.no_page)
    return 0 if show(_measure(chosen), []) else 1


def _measure(chosen: argparse.Namespace) -> list[Bar]:
    only = frozenset(chosen.only)
    bars: list[Bar] = []
    if only & set(small.ROUNDS):
        bars += asyncio.run(small.small_bars(chosen.pipelines, chosen.steady_seconds, only))
    if only & set(large.ROUNDS):
        bars += asyncio.run(large.large_bars(chosen.large, only))
    return bars


def _grow(sizes: list[int], *, with_page: bool) -> int:
    """Measure the curve; the page is written where all of it was."""
    rows: list[Row] = []

    def done(row: Row) -> None:
        rows.append(row)
        print(table([row]), file=sys.stderr, flush=True)

    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        asyncio.run(curve(sizes, done))
    except KeyboardInterrupt:
        print("stopped: the page is left as it is", file=sys.stderr)
        return 130
    finally:
        print(f"{machine()}\n\n{table(rows)}")
    if with_page:
        write(_PAGE, rows)
    return 0


def _sizes(text: str) -> list[int]:
    return sorted({int(size) for size in text.split(",")})


if __name__ == "__main__":
    sys.exit(main())
