"""What metadata may be: JSON that every store can keep."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

MAX_BYTES = 64 * 1024
MAX_DEPTH = 8
_INTEGER_BITS = 63


def metadata_error(metadata: Mapping[str, Any]) -> str | None:
    """Why the metadata can't be kept, or None where it can."""
    if not metadata:
        return None
    reason = _value_error(metadata, "metadata", 1)
    if reason is not None:
        return reason
    size = len(json.dumps(dict(metadata), ensure_ascii=False).encode())
    if size > MAX_BYTES:
        return f"metadata: {size} bytes as JSON; at most {MAX_BYTES}"
    return None


def _value_error(value: Any, path: str, depth: int) -> str | None:
    if depth > MAX_DEPTH:
        return f"{path}: nested deeper than {MAX_DEPTH} levels"
    if isinstance(value, Mapping):
        for key, member in value.items():
            reason = _text_error(key, f"{path} key") or _value_error(member, f"{path}.{key}", depth + 1)
            if reason is not None:
                return reason
        return None
    if isinstance(value, list):
        reasons = (_value_error(member, f"{path}[{i}]", depth + 1) for i, member in enumerate(value))
        return next((reason for reason in reasons if reason is not None), None)
    return _scalar_error(value, path)


def _scalar_error(value: Any, path: str) -> str | None:
    if isinstance(value, str):
        return _text_error(value, path)
    if isinstance(value, float) and not math.isfinite(value):
        return f"{path}: found {value}; must be a finite number"
    if isinstance(value, int) and value.bit_length() > _INTEGER_BITS:
        return f"{path}: the integer needs more than 64 bits; send it as a string"
    return None


def _text_error(value: str, path: str) -> str | None:
    try:
        value.encode()
    except UnicodeEncodeError:
        return f"{path!a}: contains half of a surrogate pair; send valid Unicode"
    return None
