from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from ragfleet_api.config.runtime import AuthConfig
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime import secrets_files
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.guard.keys import KeyRing, open_ring
from ragfleet_runtime.observe.health import Verdict
from ragfleet_runtime.secrets import MissingSecretError, SecretSource
from ragfleet_runtime.secrets_files import DirectorySecrets, GivenSecrets
from support.mounted_secret import mount

pytestmark = pytest.mark.anyio
AUTH = AuthConfig(required=True, secret="keys", generate=False)
FIRST, SECOND = "first-key-0123456789", "second-key-0123456789"


class Changing(SecretSource):
    """A source whose entries a test sets; an exception is raised instead."""

    def __init__(self, entries: Mapping[str, str] | Exception) -> None:
        self.now = entries

    def read(self, ref: SecretKeyRef) -> str:
        raise NotImplementedError

    def entries(self, name: str) -> Mapping[str, str]:
        if isinstance(self.now, Exception):
            raise self.now
        return self.now


def loaded(source: SecretSource) -> KeyRing:
    ring = KeyRing(source, "keys")
    ring.load()
    return ring


def name_of(ring: KeyRing, key: str) -> str | None:
    found = ring.find(key.encode())
    return None if found is None else found.name


async def until(holds: Callable[[], bool], seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it didn't happen in time"
        await asyncio.sleep(0.01)


async def test_a_version_that_kubernetes_swaps_in_counts_without_a_restart(tmp_path: Path) -> None:
    mount(tmp_path / "keys", {"a.query": FIRST})
    async with open_ring(AUTH, DirectorySecrets(tmp_path)) as ring:
        assert ring is not None
        assert (name_of(ring, FIRST), name_of(ring, SECOND)) == ("a", None)
        mount(tmp_path / "keys", {"a.query": FIRST, "b.query": SECOND})
        started = time.monotonic()
        await until(lambda: name_of(ring, SECOND) == "b")
        assert time.monotonic() - started < 4
        assert name_of(ring, FIRST) == "a"
        mount(tmp_path / "keys", {"b.query": SECOND})
        await until(lambda: name_of(ring, FIRST) is None)
        assert await ring.check() == Verdict()


async def test_where_no_key_is_required_there_is_no_ring() -> None:
    open_to_all = AuthConfig(required=False, secret="keys", generate=False)
    async with open_ring(open_to_all, GivenSecrets({})) as ring:
        assert ring is None


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        (
            MissingSecretError("the Secret keys is not there"),
            "there are no API keys: the Secret keys is not ",
        ),
        ({}, "the Secret keys holds no API key: name its entries NAME.ROLE, or NAME.ROLE.ROLE for several "),
        ({"a.query": "short"}, "a.query: a key has 16 to 1024 characters, and this has 5"),
    ],
)
async def test_without_a_key_the_service_does_not_start(
    entries: Mapping[str, str] | Exception, message: str
) -> None:
    with pytest.raises(StartError) as caught:
        async with open_ring(AUTH, Changing(entries)):
            pass
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("fault", [MissingSecretError("the Secret keys is gone"), RuntimeError(FIRST)])
async def test_keys_stay_when_their_secret_goes_and_the_service_says_so(fault: Exception) -> None:
    source = Changing({"a.query": FIRST})
    ring = loaded(source)
    source.now = fault
    with capture_logs() as logs:
        for _ in range(3):
            ring.reload()
    assert name_of(ring, FIRST) == "a"
    assert name_of(ring, "x" * 20) is None
    verdict = await ring.check()
    assert verdict.status == "degraded"
    assert verdict.reason is not None
    assert verdict.reason.endswith("; the keys that were read before still count")
    assert len(logs) == 1
    assert FIRST not in f"{verdict} {logs}"
    source.now = {"b.query": SECOND}
    ring.reload()
    assert await ring.check() == Verdict()
    assert (name_of(ring, FIRST), name_of(ring, SECOND)) == (None, "b")


@pytest.mark.parametrize("left", [{}, {"a.reader": FIRST}])
async def test_a_secret_without_keys_opens_nothing(left: Mapping[str, str]) -> None:
    source = Changing({"a.query": FIRST})
    ring = loaded(source)
    source.now = left
    ring.reload()
    assert [name_of(ring, key) for key in (FIRST, SECOND, "")] == [None, None, None]
    verdict = await ring.check()
    assert verdict.status == "failed"
    assert verdict.reason is not None
    assert verdict.reason.startswith("the Secret keys holds no API key")


async def test_a_refused_entry_is_named_in_the_log_and_in_health_and_the_others_count() -> None:
    source = Changing({"a.query": FIRST, "b.admn": SECOND, "c.query": "short-secret"})
    with capture_logs() as logs:
        ring = loaded(source)
        ring.reload()
    assert (name_of(ring, FIRST), name_of(ring, SECOND)) == ("a", None)
    verdict = await ring.check()
    assert verdict.status == "degraded"
    reason = str(verdict.reason)
    assert reason.startswith("entries of the Secret keys are no API keys: b.admn: admn is not a role; ")
    assert "c.query: a key has 16 to 1024 characters, and this has 12" in reason
    warned = sorted(line["entry"] for line in logs if line["log_level"] == "warning")
    assert warned == ["b.admn", "c.query"]
    shown = f"{logs} {verdict} {ring!r}"
    assert not any(value in shown for value in (FIRST, SECOND, "short-secret"))


async def test_many_refused_entries_are_not_all_told() -> None:
    source = Changing({"a.query": FIRST, **{f"b{n}.admn": f"{n}" * 16 for n in range(9)}})
    reason = str((await loaded(source).check()).reason)
    assert reason.endswith("; and 6 more")


async def test_the_ring_goes_on_watching_after_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(secrets_files, "_CACHE_SECONDS", -1.0)
    mount(tmp_path / "keys", {"a.query": FIRST})
    async with open_ring(AUTH, DirectorySecrets(tmp_path), every=0.01) as ring:
        assert ring is not None
        (tmp_path / "keys").rename(tmp_path / "elsewhere")
        await until(lambda: ring._fault is not None)
        assert name_of(ring, FIRST) == "a"
        mount(tmp_path / "keys", {"b.query": SECOND})
        await until(lambda: name_of(ring, SECOND) == "b")
        assert (await ring.check()).status == "ok"


async def test_finding_a_key_takes_less_than_twenty_microseconds() -> None:
    entries = {f"name{n}.query": f"key-of-some-length-{n:04}" for n in range(16)}
    ring = loaded(Changing(entries))
    key = entries["name8.query"].encode()

    def cost() -> float:
        started = time.process_time()
        for _ in range(2000):
            ring.find(key)
        return (time.process_time() - started) / 2000

    assert min(cost() for _ in range(5)) < 20e-6


async def test_a_ring_that_waits_opens_nothing_until_there_are_keys(tmp_path: Path) -> None:
    with capture_logs() as logs:
        async with open_ring(AUTH, DirectorySecrets(tmp_path), every=0.05, waits=True) as ring:
            assert ring is not None
            assert name_of(ring, FIRST) is None
            assert ring.lack is not None
            assert ring.lack.startswith("there are no API keys: the Secret keys is not there")
            assert (await ring.check()).status == "failed"
            mount(tmp_path / "keys", {"a.query": "short"})
            await until(lambda: ring.lack is not None and "this has 5" in ring.lack)
            mount(tmp_path / "keys", {"a.query": FIRST})
            await until(lambda: ring.lack is None)
            assert name_of(ring, FIRST) == "a"
            assert await ring.check() == Verdict()
    assert "still count" not in str(logs)
