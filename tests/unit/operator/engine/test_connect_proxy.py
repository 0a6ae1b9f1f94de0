"""Which proxy leads to the API server."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ragfleet_operator.engine.client import KubernetesCluster
from ragfleet_operator.engine.connect import load

pytestmark = pytest.mark.anyio

PROXY = "http://127.0.0.1:3128"


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "no_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


def kubeconfig(folder: Path, **cluster: str) -> Path:
    path = folder / "kubeconfig"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "clusters": [{"name": "here", "cluster": {"server": "https://api.example:6443", **cluster}}],
        "users": [{"name": "me", "user": {"token": "x"}}],
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
    }
    path.write_text(yaml.safe_dump(content))
    return path


async def test_the_environments_proxy_is_taken_but_for_what_needs_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = kubeconfig(tmp_path)
    assert (await load(path)).proxy is None
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    assert (await load(path)).proxy is None  # the server's address begins with https
    monkeypatch.setenv("HTTPS_PROXY", PROXY)
    assert (await load(path)).proxy == PROXY
    monkeypatch.setenv("NO_PROXY", "other.example,.example")
    assert (await load(path)).proxy is None


async def test_the_kubeconfigs_proxy_goes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:1")
    assert (await load(kubeconfig(tmp_path, **{"proxy-url": PROXY}))).proxy == PROXY


async def test_no_call_looks_for_passwords_in_the_users_home(tmp_path: Path) -> None:
    cluster = await KubernetesCluster.connect(kubeconfig(tmp_path))
    session = cluster._rest._create_pool_manager()
    try:
        assert session.trust_env is False
    finally:
        await session.close()
        await cluster.close()
