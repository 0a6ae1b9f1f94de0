"""Fixtures of the command line's tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.fake_service import FakeService, serve


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RAGFLEET_URL", "RAGFLEET_DEBUG", "RAGFLEET_API_KEY", "RAGFLEET_SECRETS_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def service() -> FakeService:
    """A service without documents."""
    return FakeService()


@pytest.fixture
def url(service: FakeService) -> Iterator[str]:
    """Its address."""
    with serve(service) as address:
        yield address
