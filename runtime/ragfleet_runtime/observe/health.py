"""Health: each part asked, with its time and, where it isn't well, the reason."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "degraded", "failed"]
_ORDER: tuple[Status, ...] = ("ok", "degraded", "failed")
_TIMEOUT_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a part says of itself."""

    status: Status = "ok"
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the service and the question whether it is well."""

    name: str
    check: Callable[[], Awaitable[Verdict]]


@dataclass(frozen=True, slots=True)
class Finding:
    """A part's verdict and how long it took, in milliseconds."""

    name: str
    verdict: Verdict
    took_ms: float


async def examine(parts: Sequence[Part]) -> tuple[Status, list[Finding]]:
    """Ask every part at once; the overall status is that of the worst."""
    findings = await asyncio.gather(*(_ask(part) for part in parts))
    worst = max((_ORDER.index(finding.verdict.status) for finding in findings), default=0)
    return _ORDER[worst], list(findings)


async def _ask(part: Part) -> Finding:
    start = time.perf_counter()
    try:
        verdict = await asyncio.wait_for(part.check(), _TIMEOUT_SECONDS)
    except TimeoutError:
        verdict = Verdict("failed", f"no answer within {_TIMEOUT_SECONDS:g} s")
    except Exception as error:
        verdict = Verdict("failed", str(error) or type(error).__name__)
    return Finding(part.name, verdict, round((time.perf_counter() - start) * 1000, 3))
