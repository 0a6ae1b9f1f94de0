"""Who may call what: the rules, apart from the table that carries them out."""

from __future__ import annotations

from typing import Final

ROLES: Final = ("query", "ingest", "admin")
RULES: Final = {
    ("POST", "/search"): {"query", "admin"},
    ("POST", "/query"): {"query", "admin"},
    ("POST", "/query/stream"): {"query", "admin"},
    ("POST", "/ingest"): {"ingest", "admin"},
    ("GET", "/documents"): {"query", "ingest", "admin"},
    ("GET", "/documents/{id}"): {"query", "ingest", "admin"},
    ("DELETE", "/documents"): {"ingest", "admin"},
    ("DELETE", "/documents/{id}"): {"ingest", "admin"},
    ("GET", "/metrics"): {"query", "admin"},
    ("GET", "/health"): {"query", "ingest", "admin"},
}
OPEN: Final = frozenset({("GET", "/live"), ("GET", "/ready")})


def example(path: str) -> str:
    """A path that can be asked for."""
    return path.replace("{id}", "guides/install.md")
