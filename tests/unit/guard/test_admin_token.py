from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.guard.admin import AdminToken, open_admin_token
from ragfleet_runtime.secrets import SecretSource
from ragfleet_runtime.secrets_files import DirectorySecrets, GivenSecrets
from support.mounted_secret import mount

pytestmark = pytest.mark.anyio
FIRST, SECOND = "first-token-0123456789", "second-token-0123456789"


def loaded(**entries: str) -> AdminToken:
    token = AdminToken(GivenSecrets({"a-admin": entries}), "a-admin")
    token.reload()
    return token


async def test_the_token_alone_is_let_in() -> None:
    token = loaded(token=FIRST)
    assert token.allows(FIRST.encode())
    for other in (SECOND, FIRST[:-1], f"{FIRST} ", "", FIRST.upper()):
        assert not token.allows(other.encode())
    assert FIRST not in repr(token)


@pytest.mark.parametrize(
    ("entries", "told"),
    [
        ({}, "the Secret a-admin has no entry token"),
        ({"token": "short"}, "a key has 16 to 1024 characters, and this has 5"),
        ({"token": "a token with spaces in it"}, "no spaces"),
    ],
)
async def test_without_a_token_nobody_is_let_in_and_the_log_says_so_once(
    entries: Mapping[str, str], told: str
) -> None:
    token = AdminToken(GivenSecrets({"a-admin": entries}), "a-admin")
    with capture_logs() as logs:
        for _ in range(3):
            token.reload()
    for presented in ("", *entries.values(), "None"):
        assert not token.allows(presented.encode())
    (entry,) = logs
    assert entry["log_level"] == "warning"
    assert told in entry["reason"]
    assert not any(value in str(logs) for value in entries.values())


async def test_a_source_that_fails_in_its_own_way_shuts_the_door_without_telling_why() -> None:
    class Broken(SecretSource):
        def read(self, ref: SecretKeyRef) -> str:
            raise RuntimeError(FIRST)

        def entries(self, name: str) -> Mapping[str, str]:
            raise NotImplementedError

    token = AdminToken(Broken(), "a-admin")
    with capture_logs() as logs:
        token.reload()
    assert not token.allows(FIRST.encode())
    assert FIRST not in str(logs)
    assert "RuntimeError" in logs[0]["reason"]


async def test_a_token_counts_from_when_it_is_mounted_until_it_is_replaced_or_gone(tmp_path: Path) -> None:
    async with open_admin_token(DirectorySecrets(tmp_path), "a-admin", every=0.05) as token:
        assert not token.allows(FIRST.encode())
        mount(tmp_path / "a-admin", {"token": FIRST})
        await until_allowed(token, FIRST)
        mount(tmp_path / "a-admin", {"token": SECOND})
        await until_allowed(token, SECOND)
        assert not token.allows(FIRST.encode())
        mount(tmp_path / "a-admin", {})
        await until_allowed(token, SECOND, is_allowed=False)


async def until_allowed(token: AdminToken, value: str, *, is_allowed: bool = True) -> None:
    end = time.monotonic() + 5
    while token.allows(value.encode()) is not is_allowed:
        assert time.monotonic() < end, "it didn't happen in time"
        await asyncio.sleep(0.02)
