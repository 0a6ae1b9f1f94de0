"""Times in documents, as ISO 8601 in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone

_PDF_DATE = re.compile(
    r"(?:D:)?(\d{4})(\d{2})?(\d{2})?(\d{2})?(\d{2})?(\d{2})?(?:Z|([+-])(\d{2})'?(\d{2})?)?", re.ASCII
)


def utc(time: datetime) -> str:
    """The time as ISO 8601, e.g. ``2024-05-01T10:00:00Z``; a time without a zone is taken for UTC."""
    zoned = time if time.tzinfo is not None else time.replace(tzinfo=UTC)
    return zoned.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def utc_from_iso(value: str) -> str | None:
    """An ISO 8601 date or time in UTC, or None where it is neither."""
    try:
        return utc(datetime.fromisoformat(value.strip()))
    except (ValueError, OverflowError):
        return None


def utc_from_pdf(value: str) -> str | None:
    """A PDF date, e.g. ``D:20240501120000+02'00'`` (ISO 32000-1, 7.9.4), in UTC; None where it is none."""
    match = _PDF_DATE.match(value.strip())
    if match is None:
        return None
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    offset = timedelta(hours=int(match[8] or 0), minutes=int(match[9] or 0))
    try:
        zone = timezone(-offset if match[7] == "-" else offset)
        return utc(datetime(year, month or 1, day or 1, hour, minute, second, tzinfo=zone))
    except (ValueError, OverflowError):
        return None
