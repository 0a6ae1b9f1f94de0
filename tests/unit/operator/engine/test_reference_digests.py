"""The digest of what pods read once: what it depends on, when it can't be told, and what it costs."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

import pytest

from ragfleet_operator.engine.errors import Forbidden, Unavailable
from ragfleet_operator.engine.references import References, Resolved
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.kinds import CONFIG_MAP, SECRET
from ragfleet_operator.model import Fault, Key
from ragfleet_operator.render import Reference
from support.fake_cluster import FakeCluster

pytestmark = pytest.mark.anyio

KEY = Key("default", "handbook")
TOKEN, OTHER_TOKEN = "rf_token-0123456789", "rf_another-0123456789"
CANARY = "canary-7f3a"
ENV = Reference("Secret", "env", frozenset({"password"}), "spec.runtime.env[0].secretKeyRef")
BUNDLE = Reference("ConfigMap", "authorities", frozenset({"ca.pem"}), "spec.runtime.caBundle")
LIVE = Reference("Secret", "llm", frozenset({"token"}), "spec.generation.openAI.apiKeySecretRef", rolls=False)
ALL = (ENV, BUNDLE, LIVE)


def coded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


class World:
    """References on a fake cluster that holds all that they refer to, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.cluster = FakeCluster()
        self.watched = Watched()
        self.references = self.operator()
        self.wanted: Sequence[Reference] = ALL
        self.admin: dict[str, Any] | None = self.secret("handbook-admin", token=TOKEN)
        self.secret("env", password=CANARY)
        self.secret("llm", token=CANARY)
        self.bundle(CANARY)

    def operator(self) -> References:
        """References of an operator that has just started."""
        return References(self.cluster, self.watched, monotonic=lambda: self.now)

    def secret(self, name: str, **data: str) -> dict[str, Any]:
        metadata = {"namespace": "default", "name": name}
        values = {entry: coded(value) for entry, value in data.items()}
        return self.cluster.put(SECRET, {"metadata": metadata, "data": values})

    def bundle(self, text: str) -> dict[str, Any]:
        metadata = {"namespace": "default", "name": "authorities"}
        return self.cluster.put(CONFIG_MAP, {"metadata": metadata, "data": {"ca.pem": text}})

    async def resolve(self) -> Resolved:
        return await self.references.resolve(KEY, self.wanted, self.admin)

    async def digest(self) -> str:
        """The digest, five minutes later."""
        self.now += 300
        found = (await self.resolve()).digest
        assert found
        return found

    @property
    def reads(self) -> int:
        return self.cluster.calls["get", "Secret"] + self.cluster.calls["get", "ConfigMap"]


@pytest.fixture
def world() -> World:
    return World()


async def test_a_change_of_what_pods_read_once_is_another_digest(world: World) -> None:
    found = [await world.digest()]
    world.secret("env", password="the next")
    found.append(await world.digest())
    world.bundle("the next")
    found.append(await world.digest())
    assert len(set(found)) == 3
    world.secret("env", password=CANARY)
    world.bundle(CANARY)
    assert await world.digest() == found[0]


async def test_what_pods_read_again_and_entries_that_nobody_names_do_not_count(world: World) -> None:
    before = await world.digest()
    world.secret("llm", token="the next")
    world.secret("env", another="entry")
    assert await world.digest() == before


async def test_each_pipeline_has_a_digest_of_its_own(world: World) -> None:
    before = await world.digest()
    admin = world.secret("manuals-admin", token=OTHER_TOKEN)
    other = await world.references.resolve(Key("default", "manuals"), ALL, admin)
    assert other.digest not in (before, "", None)


async def test_an_operator_that_starts_anew_finds_the_same_digest(world: World) -> None:
    before = await world.digest()
    world.references, world.watched = world.operator(), Watched()
    assert await world.digest() == before


async def test_where_pods_read_nothing_once_there_is_no_digest_and_no_key_is_read(world: World) -> None:
    world.wanted = (LIVE,)
    for admin in (world.admin, None):
        world.admin = admin
        assert await world.resolve() == Resolved()
    assert world.reads == 1


async def test_between_two_looks_nothing_is_read(world: World) -> None:
    await world.resolve()
    assert world.reads == 4
    for now in (1, 100, 250):
        world.now = now
        await world.resolve()
    assert world.reads == 4
    world.now = 270
    await world.resolve()
    assert world.reads == 7


async def test_a_spec_that_names_another_entry_gets_its_digest_without_a_read(world: World) -> None:
    world.secret("env", user="somebody")
    before = (await world.resolve()).digest
    world.wanted = (*ALL, Reference("Secret", "env", frozenset({"user"}), "spec.runtime.env[1].secretKeyRef"))
    assert (await world.resolve()).digest not in (before, None)
    assert world.reads == 4


async def test_what_is_watched_is_read_when_it_changed_and_not_otherwise(world: World) -> None:
    world.wanted = (ENV,)
    world.watched.see(SECRET, "ADDED", world.secret("env"))
    before = await world.digest()
    await world.digest()
    assert world.reads == 2
    event = world.secret("env", password="the next")
    assert world.watched.see(SECRET, "MODIFIED", event) == {KEY}
    after = await world.digest()
    assert after != before
    assert world.reads == 3
    assert await world.digest() == after
    assert world.reads == 3


async def test_a_write_to_a_watched_secret_that_changes_no_value_is_no_news(world: World) -> None:
    world.wanted = (ENV,)
    world.watched.see(SECRET, "ADDED", world.secret("env"))
    before = await world.digest()
    event = world.secret("env", password=CANARY)
    event["metadata"]["annotations"] = {"synced-at": "now"}
    assert world.watched.see(SECRET, "MODIFIED", event) == set()
    assert await world.digest() == before
    assert world.reads == 2
    assert world.watched.replace(SECRET, None, [event]) == set()


async def test_a_secret_that_is_watched_from_now_on_has_the_digest_that_it_had(world: World) -> None:
    before = await world.digest()
    world.watched.see(SECRET, "ADDED", world.secret("env"))
    assert await world.digest() == before
    world.watched.see(SECRET, "DELETED", world.secret("env"))
    assert await world.digest() == before


@pytest.mark.parametrize("was_read_before", [True, False])
async def test_what_is_watched_and_goes_is_missing_at_once(world: World, was_read_before: bool) -> None:
    world.wanted = (ENV,)
    if was_read_before:
        await world.digest()
    world.watched.see(SECRET, "ADDED", world.secret("env"))
    await world.digest()
    assert world.watched.see(SECRET, "DELETED", world.cluster.remove(SECRET, "default", "env")) == {KEY}
    found = await world.resolve()
    assert (found.digest, [item.name for item in found.missing]) == (None, ["env"])


async def test_without_the_admin_secret_the_digest_waits_for_it(world: World) -> None:
    admin, world.admin = world.admin, None
    found = await world.resolve()
    assert (found.digest, found.awaits_key, found.missing) == (None, True, ())
    world.admin = admin
    found = await world.resolve()
    assert found.digest
    assert not found.awaits_key


async def test_a_new_admin_token_is_another_digest_and_a_label_on_its_secret_is_not(world: World) -> None:
    before = await world.digest()
    assert world.admin is not None
    world.admin = world.cluster.put(SECRET, {"metadata": {**world.admin["metadata"], "labels": {"a": "b"}}})
    assert await world.digest() == before
    world.admin = world.secret("handbook-admin", token=OTHER_TOKEN)
    assert await world.digest() != before
    world.admin = world.secret("handbook-admin", token=TOKEN)
    assert await world.digest() == before


async def test_an_admin_secret_without_a_token_holds_nothing_up(world: World) -> None:
    world.admin = world.secret("handbook-admin", token="")
    found = await world.resolve()
    assert (found.digest, found.awaits_key, found.faults) == (None, False, ())


async def test_an_admin_secret_that_is_gone_is_waited_for(world: World) -> None:
    world.cluster.remove(SECRET, "default", "handbook-admin")
    found = await world.resolve()
    assert (found.digest, found.awaits_key) == (None, True)
    world.admin = world.secret("handbook-admin", token=TOKEN)
    assert (await world.resolve()).digest


async def test_a_token_in_a_secret_of_that_name_that_is_not_the_pipelines_is_no_key(world: World) -> None:
    world.cluster.remove(SECRET, "default", "handbook-admin")
    world.secret("handbook-admin", token=OTHER_TOKEN)
    found = await world.resolve()
    assert (found.digest, found.awaits_key) == (None, True)


@pytest.mark.parametrize("kind", [SECRET, CONFIG_MAP], ids=lambda kind: kind.kind)
async def test_what_may_not_be_read_makes_it_unknown_and_is_a_fault(world: World, kind: Any) -> None:
    before = await world.digest()
    world.cluster.faults["get", kind] = Forbidden(f"{kind.plural} is forbidden")
    world.now += 300
    found = await world.resolve()
    assert (found.digest, found.awaits_key, found.missing) == (None, False, ())
    assert {fault.fault for fault in found.faults} == {Fault.FORBIDDEN}
    world.cluster.faults.clear()
    assert await world.digest() == before


async def test_an_admin_secret_that_may_not_be_read_is_a_fault_and_not_waited_for(world: World) -> None:
    world.wanted = (BUNDLE,)
    world.cluster.faults["get", SECRET] = Forbidden("secrets is forbidden")
    found = await world.resolve()
    assert (found.digest, found.awaits_key) == (None, False)
    assert [fault.ref.name for fault in found.faults] == ["handbook-admin"]


@pytest.mark.parametrize("kind", [SECRET, CONFIG_MAP], ids=lambda kind: kind.kind)
async def test_a_server_that_fails_ends_the_pass_and_changes_nothing(world: World, kind: Any) -> None:
    before = await world.digest()
    world.cluster.faults["get", kind] = Unavailable("no answer")
    world.now += 300
    with pytest.raises(Unavailable):
        await world.resolve()
    world.cluster.faults.clear()
    assert (await world.resolve()).digest == before


async def test_a_secret_that_is_deleted_or_loses_its_entry_makes_it_unknown(world: World) -> None:
    before = await world.digest()
    gone = world.cluster.remove(SECRET, "default", "env")
    world.now += 300
    found = await world.resolve()
    assert (found.digest, [item.name for item in found.missing]) == (None, ["env"])
    world.secret("env", user="somebody")
    world.now += 3
    found = await world.resolve()
    assert (found.digest, [item.key for item in found.missing]) == (None, ["password"])
    world.cluster.put(SECRET, gone)
    assert await world.digest() == before


async def test_a_pipeline_that_is_forgotten_leaves_nothing_behind(world: World) -> None:
    await world.resolve()
    world.references.forget(KEY)
    assert vars(world.references)["_memory"] == {}


async def test_neither_a_value_nor_the_token_is_in_anything_that_is_kept(world: World) -> None:
    world.watched.see(SECRET, "ADDED", world.secret("env"))
    found = await world.resolve()
    world.wanted = (*ALL, Reference("Secret", "env", frozenset({"lacks"}), "spec.runtime.env[1]"))
    kept = [found, await world.resolve(), vars(world.references)["_memory"], vars(world.watched)]
    text = repr(kept)
    assert "_Read(" in text  # what is looked through is there
    for secret in (CANARY, TOKEN):
        assert secret not in text
        assert coded(secret) not in text
        assert secret.encode().hex() not in text
