"""Fixtures of every tier."""

from __future__ import annotations

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from support.configs import make_config


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, object]]:
    """The loop that the service runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def config() -> RuntimeConfig:
    """A pipeline with every default."""
    return make_config()
