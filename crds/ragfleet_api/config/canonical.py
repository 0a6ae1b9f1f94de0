"""JSON that is the same bytes for the same value, and fingerprints of it."""

from __future__ import annotations

import hashlib
import json


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def fingerprint(value: object) -> str:
    """Eight hex digits of the value's SHA-256."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:8]
