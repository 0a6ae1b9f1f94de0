"""Processes of our own beside the service."""

from __future__ import annotations

import os

# What an interpreter needs to start and read text as the service does.
_PASSED = (
    "HOME",
    "LANG",
    "LC_ALL",
    "LC_CTYPE",
    "LD_LIBRARY_PATH",
    "PATH",
    "PYTHONHOME",
    "PYTHONPATH",
    "TMPDIR",
    "TZ",
    "VIRTUAL_ENV",
)


def lean_environment() -> dict[str, str]:
    """The environment for a process that works on documents: without the secrets that ours may hold."""
    return {name: os.environ[name] for name in _PASSED if name in os.environ}
