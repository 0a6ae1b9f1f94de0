"""What pods read only once rolls them when it changes: on the real API server and its controllers."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pytest

from ragfleet_operator.names import ROTATED_ANNOTATION, SECRETS_ANNOTATION, WATCH_LABEL
from support.control_plane import ControlPlane
from support.engine_run import Bench, eventually, pipeline, running_engine

pytestmark = pytest.mark.anyio

VALUE = "canary-8f2c"
LONG_AGO = "2026-01-01T00:00:00Z"
REVISION = "deployment.kubernetes.io/revision"
SPEC: dict[str, Any] = {
    "runtime": {
        "env": [{"name": "PASSWORD", "secretKeyRef": {"name": "env", "key": "password"}}],
        "caBundle": {"configMapName": "authorities", "key": "ca.pem"},
    },
    "generation": {
        "type": "OpenAI",
        "openAI": {"model": "m", "apiKeySecretRef": {"name": "llm", "key": "token"}},
    },
}
SECONDS = 60.0


@dataclass(frozen=True)
class Rolled:
    """What a Deployment says of its pods' secrets, and how often it rolled them."""

    digest: str
    rotated_at: str
    revision: int


@pytest.fixture
def bench(control_plane: ControlPlane, namespace: str) -> Bench:
    return Bench(control_plane, namespace)


def secret(name: str, *, is_watched: bool = True, **entries: str) -> dict[str, Any]:
    labels = {"labels": {WATCH_LABEL: "true"}} if is_watched else {}
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name, **labels}, "stringData": entries}


def bundle(text: str) -> dict[str, Any]:
    labels = {WATCH_LABEL: "true"}
    metadata = {"name": "authorities", "labels": labels}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"ca.pem": text}}


async def prepare(bench: Bench, *, is_watched: bool = True) -> None:
    """A pipeline, and all that it refers to."""
    await bench.apply(
        secret("env", is_watched=is_watched, password=VALUE, other="o"),
        secret("llm", is_watched=is_watched, token=VALUE),
        bundle(VALUE),
        pipeline(**SPEC),
    )


async def rolled(bench: Bench) -> Rolled:
    found = await bench.get("deployment", "handbook")
    own = found["metadata"]["annotations"]
    pods = found["spec"]["template"]["metadata"]["annotations"]
    return Rolled(pods.get(SECRETS_ANNOTATION, ""), own.get(ROTATED_ANNOTATION, ""), int(own[REVISION]))


async def ready(bench: Bench) -> Rolled:
    await bench.reason("handbook", "Ready", seconds=SECONDS)
    return await rolled(bench)


async def until_rolled(bench: Bench, before: Rolled) -> Rolled:
    """Wait until pods were rolled once more for what they read."""

    async def is_rolled() -> bool:
        found = await rolled(bench)
        return found.digest != before.digest and found.revision > before.revision

    await eventually(is_rolled, "another digest", SECONDS)
    return await rolled(bench)


async def stays(bench: Bench, before: Rolled, seconds: float = 3.0) -> None:
    """Nothing rolls for a while."""
    await asyncio.sleep(seconds)
    assert await rolled(bench) == before


async def test_a_new_pipeline_is_rolled_out_once(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace) as running:
        await prepare(bench)
        first = await ready(bench)
        assert len(first.digest) == 32
        assert (first.rotated_at, first.revision) == ("", 1)
        await stays(bench, first)
        assert running.written.counts["apply", "Deployment"] == 1


async def test_pods_that_read_nothing_once_carry_nothing(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await bench.apply(
            secret("llm", token=VALUE), pipeline(generation=SPEC["generation"], auth={"required": True})
        )
        assert await ready(bench) == Rolled("", "", 1)


@pytest.mark.parametrize(
    "changed",
    [secret("env", password="next", other="o"), bundle("the next authorities")],
    ids=["Secret", "ConfigMap"],
)
async def test_a_change_rolls_pods_and_the_next_one_waits(bench: Bench, changed: dict[str, Any]) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await prepare(bench)
        first = await ready(bench)
        await bench.apply(changed)
        second = await until_rolled(bench, first)
        assert second.rotated_at
        assert second.revision == 2
        assert (await ready(bench)) == second
        await bench.apply(secret("env", password="and the next", other="o"))
        await stays(bench, second)
        # Five minutes later, by the only clock that counts.
        await bench.kubectl(
            "annotate", "--overwrite", "deployment/handbook", f"{ROTATED_ANNOTATION}={LONG_AGO}"
        )
        third = await until_rolled(bench, second)
        assert third.rotated_at not in ("", LONG_AGO)
        assert third.revision == 3


async def test_what_the_service_reads_again_and_what_it_does_not_read_roll_nothing(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await prepare(bench)
        first = await ready(bench)
        await bench.apply(secret("llm", token="next"), secret("env", password=VALUE, other="another"))
        await stays(bench, first)


async def test_a_secret_that_is_deleted_and_comes_back_rolls_nothing(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await prepare(bench)
        first = await ready(bench)
        await bench.kubectl("delete", "secret", "env")
        await bench.reason("handbook", "SecretMissing", "SecretsResolved", seconds=SECONDS)
        assert await rolled(bench) == first
        await bench.apply(secret("env", password=VALUE, other="o"))
        assert await ready(bench) == first
        await stays(bench, first)


async def test_an_operator_that_starts_rolls_for_what_changed_and_for_nothing_else(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await prepare(bench, is_watched=False)
        first = await ready(bench)
    versions = await bench.versions()
    async with running_engine(bench.control_plane, bench.namespace) as running:
        await stays(bench, first)
        assert await bench.versions() == versions
        assert running.written.total == 0
    await bench.apply(secret("env", is_watched=False, password="changed while nobody looked", other="o"))
    async with running_engine(bench.control_plane, bench.namespace):
        assert (await until_rolled(bench, first)).revision == 2


async def test_an_edit_of_the_spec_and_a_change_make_one_roll(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await prepare(bench)
        first = await ready(bench)
        env = [*SPEC["runtime"]["env"], {"name": "OTHER", "secretKeyRef": {"name": "env", "key": "other"}}]
        await bench.apply(pipeline(**{**SPEC, "runtime": {**SPEC["runtime"], "env": env}}))
        second = await until_rolled(bench, first)
        assert (second.rotated_at, second.revision) == ("", 2)
        assert await ready(bench) == second
        await stays(bench, second)


async def test_nothing_in_the_cluster_tells_a_value(bench: Bench) -> None:
    async with running_engine(bench.control_plane, bench.namespace):
        await prepare(bench)
        first = await ready(bench)
        await bench.apply(secret("env", password=f"{VALUE}-2", other="o"))
        second = await until_rolled(bench, first)
        await ready(bench)
    values = [VALUE, f"{VALUE}-2"]
    for value in values:
        plain = {hashlib.new(name, value.encode()).hexdigest() for name in ("sha256", "sha512", "md5")}
        assert not any(digest[:32] in (first.digest, second.digest) for digest in plain)
    assert not _telling(await bench.items("ragpipelines,deploy,rs,pods,controllerrevisions,events"), values)


def _telling(objects: Sequence[dict[str, Any]], values: Sequence[str]) -> list[str]:
    """The objects that hold one of the values."""
    return [
        f"{found['kind']}/{found['metadata']['name']}"
        for found in objects
        if any(value in json.dumps(found) for value in values)
    ]
