"""API keys, spoken over the wire to the service as ``ragfleet up`` runs it."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from support.access_rules import OPEN, ROLES, RULES, example
from support.mounted_secret import mount
from support.service import RunningService, running_service, up_command

WRONG = "rf_wrong-wrong-wrong-wrong-wrong-wrong-wrong-wr"
FIRST, SECOND = "first-key-0123456789", "second-key-0123456789"
GIVEN = dedent(
    """\
    apiVersion: ragfleet.dev/v1alpha1
    kind: RAGPipeline
    metadata: {name: test}
    spec:
      vectorStore: {type: Embedded}
      generation: {type: Extractive}
      auth: {apiKeys: {secretRef: {name: team}}}
    """
)
GENERATED = GIVEN[: GIVEN.index("  auth")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a pipeline whose keys are generated."""
    folder = tmp_path_factory.mktemp("generated")
    (folder / "pipeline.yaml").write_text(GENERATED)
    return folder


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[RunningService]:
    with running_service(folder) as running:
        yield running


@pytest.fixture(scope="module")
def keys(service: RunningService) -> dict[str, str]:
    """The service's keys by role."""
    return {role: (service.data / "test-api-keys" / f"default.{role}").read_text().strip() for role in ROLES}


@pytest.fixture
def mounted(tmp_path: Path) -> Path:
    """A Secret as a kubelet mounts it, in a folder of Secrets, and a pipeline that takes its keys from it."""
    (tmp_path / "pipeline.yaml").write_text(GIVEN)
    mount(tmp_path / "secrets" / "team", {"alice.query": FIRST})
    return tmp_path / "secrets" / "team"


def call(url: str, method: str, path: str, key: str | None, **headers: str) -> httpx.Response:
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    content = None if method == "GET" else b"{}"
    return httpx.request(method, url + example(path), headers=headers, content=content, timeout=30)


def search(url: str, key: str | None) -> httpx.Response:
    headers = {"X-API-Key": key} if key else {}
    return httpx.post(f"{url}/search", json={"query": "fox"}, headers=headers, timeout=30)


def until(holds: Callable[[], bool], seconds: float = 10) -> float:
    started = time.monotonic()
    while not holds():
        assert time.monotonic() - started < seconds, "it didn't happen in time"
        time.sleep(0.05)
    return time.monotonic() - started


def problem(response: httpx.Response) -> dict[str, Any]:
    assert response.headers["Content-Type"] == "application/problem+json"
    found: dict[str, Any] = response.json()
    assert found["status"] == response.status_code
    assert found["request_id"] == response.headers["X-Request-Id"]
    return found


def described(url: str) -> list[tuple[str, str]]:
    """Every method and path that the service says it has."""
    paths = httpx.get(f"{url}/openapi.json", timeout=30).json()["paths"]
    return [(method.upper(), path) for path, methods in paths.items() for method in methods]


def test_every_route_is_open_to_the_right_roles_and_to_nobody_else(
    service: RunningService, keys: dict[str, str]
) -> None:
    """A route that the table of rules doesn't know would be answered 404 here."""
    found = described(service.url)
    assert len(found) > 8
    for method, path in found:
        if (method, path) in OPEN:
            assert call(service.url, method, path, None).status_code == 200
            continue
        for key in (None, WRONG, keys["admin"][:-1]):
            if path == "/health" and key is None:
                continue
            refused = call(service.url, method, path, key)
            assert problem(refused)["type"] == "https://ragfleet.dev/problems/unauthorized", (method, path)
            assert refused.headers["WWW-Authenticate"].startswith("Bearer")
        for role in ROLES:
            answer = call(service.url, method, path, keys[role])
            if role in RULES[method, path]:
                assert answer.status_code not in (401, 403, 405), (method, path, role)
                assert "no route" not in answer.text
            else:
                assert problem(answer)["type"] == "https://ragfleet.dev/problems/forbidden", (
                    method,
                    path,
                    role,
                )


def test_the_service_is_used_with_its_keys(service: RunningService, keys: dict[str, str]) -> None:
    document = {"documents": [{"id": "fox", "text": "The quick brown fox jumps over the lazy dog."}]}
    headers = {"Authorization": f"Bearer {keys['ingest']}"}
    assert httpx.post(f"{service.url}/ingest", json=document, headers=headers, timeout=30).status_code == 200
    found = search(service.url, keys["query"])
    assert [result["document_id"] for result in found.json()["results"]] == ["fox"]
    environment = {**os.environ, "RAGFLEET_API_KEY": keys["query"], "RAGFLEET_URL": service.url}
    command = [sys.executable, "-m", "ragfleet_cli", "search", "fox"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert "quick brown fox" in done.stdout


def test_two_keys_that_differ_are_refused(service: RunningService, keys: dict[str, str]) -> None:
    refused = call(service.url, "POST", "/search", keys["query"], **{"X-API-Key": keys["admin"]})
    assert problem(refused)["detail"] == "there are several keys in the headers, and they differ: send one"


@pytest.mark.parametrize("path", ["/search%0A", "/ingest%0a", "/search/", "//search", "/nowhere"])
def test_an_unknown_route_is_told_to_those_with_a_key_alone(
    path: str, service: RunningService, keys: dict[str, str]
) -> None:
    assert call(service.url, "POST", path, keys["admin"]).status_code == 404
    assert call(service.url, "POST", path, None).status_code == 401


@pytest.mark.parametrize("expect", ["", "Expect: 100-continue\r\n"])
@pytest.mark.parametrize("role", [None, "query"])
def test_an_upload_that_is_refused_is_not_read(
    role: str | None, expect: str, service: RunningService, keys: dict[str, str]
) -> None:
    """Only the head is sent: an answer can't have waited for the 64 MiB, nor asked for them."""
    address = urlsplit(service.url)
    head = f"POST /ingest HTTP/1.1\r\nHost: x\r\nContent-Length: {64 * 2**20}\r\n{expect}"
    if role is not None:
        head += f"Authorization: Bearer {keys[role]}\r\n"
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        connection.sendall(f"{head}\r\n".encode())
        answer = b""
        while piece := connection.recv(65536):  # until the service ends the connection
            answer += piece
    status = 401 if role is None else 403
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert b"connection: close" in answer.lower()


def test_a_client_that_sends_a_large_body_all_the_same_gets_the_answer(service: RunningService) -> None:
    body = b"x" * (32 * 2**20)
    refused = httpx.post(f"{service.url}/ingest", content=body, timeout=30)
    assert problem(refused)["status"] == 401


def test_generated_keys_stay_over_a_restart_and_are_for_the_owner_alone(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "pipeline.yaml").write_text(GENERATED)
    place = tmp_path / "data" / "test-api-keys"
    found = []
    for _ in range(2):
        with running_service(tmp_path) as running:
            found.append({path.name: path.read_text() for path in place.iterdir()})
            key = found[-1]["default.query"].strip()
            assert search(running.url, key).status_code == 200
    assert found[0] == found[1]
    assert found[0].keys() == {f"default.{role}" for role in ROLES}
    assert {stat.S_IMODE(path.stat().st_mode) for path in place.iterdir()} == {0o600}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


def test_keys_are_changed_and_taken_away_without_a_restart(mounted: Path, tmp_path: Path) -> None:
    with running_service(tmp_path, ["--secrets-dir", str(tmp_path / "secrets")]) as running:
        assert (search(running.url, FIRST).status_code, search(running.url, SECOND).status_code) == (200, 401)
        mount(mounted, {"alice.query": FIRST, "bob.query": SECOND})
        assert until(lambda: search(running.url, SECOND).status_code == 200) < 5
        assert search(running.url, FIRST).status_code == 200
        mount(mounted, {"bob.query": SECOND})
        until(lambda: search(running.url, FIRST).status_code == 401)
        mount(mounted, {})
        until(lambda: search(running.url, SECOND).status_code == 401)
        assert httpx.get(f"{running.url}/health", timeout=30).json()["status"] == "failed"
        mount(mounted, {"bob.query": SECOND})
        until(lambda: search(running.url, SECOND).status_code == 200)


def test_a_secret_that_goes_leaves_the_keys_as_they_were_and_is_told(mounted: Path, tmp_path: Path) -> None:
    with running_service(tmp_path, ["--secrets-dir", str(tmp_path / "secrets")]) as running:
        mounted.rename(tmp_path / "elsewhere")

        def health(key: str | None) -> dict[str, Any]:
            response = call(running.url, "GET", "/health", key)
            assert response.status_code == 200
            found: dict[str, Any] = response.json()
            return found

        until(lambda: health(None)["status"] == "degraded")
        assert (search(running.url, FIRST).status_code, search(running.url, WRONG).status_code) == (200, 401)
        assert search(running.url, None).status_code == 401
        (check,) = [check for check in health(FIRST)["checks"] if check["name"] == "keys"]
        assert check["reason"].startswith("the Secret team is not there")
        assert {check["reason"] for check in health(None)["checks"]} == {None}


def test_an_entry_that_is_no_key_is_told_in_the_log_and_in_health(mounted: Path, tmp_path: Path) -> None:
    short, other = "sh0rt-secret", "an0ther-secret-value"
    mount(mounted, {"alice.query": FIRST, "bob.query": short, "carol.reader": other})
    with running_service(tmp_path, ["--secrets-dir", str(tmp_path / "secrets")]) as running:
        assert search(running.url, FIRST).status_code == 200
        assert search(running.url, other).status_code == 401
        health = call(running.url, "GET", "/health", FIRST).text
        metrics = call(running.url, "GET", "/metrics", FIRST).text
    log = running.log.read_text()
    assert "bob.query: a key has 16 to 1024 characters, and this has 12" in health
    assert "carol.reader: reader is not a role" in health
    warned = [json.loads(line)["entry"] for line in log.splitlines() if '"an entry is no API key"' in line]
    assert sorted(warned) == ["bob.query", "carol.reader"]
    assert not any(value in log + health + metrics for value in (short, other, FIRST))


def test_without_a_usable_key_the_service_does_not_start(mounted: Path, tmp_path: Path) -> None:
    mount(mounted, {"bob.query": "sh0rt-secret"})
    command = up_command(tmp_path, "--secrets-dir", str(tmp_path / "secrets"))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("ragfleet: the Secret team holds no API key: name its entries NAME.ROLE")
    assert "sh0rt-secret" not in done.stderr


def test_no_key_is_shown_anywhere(service: RunningService, keys: dict[str, str]) -> None:
    """The calls before this one have presented every key, right and wrong ones, in both headers."""
    for key in (*keys.values(), WRONG):
        search(service.url, key)
        call(service.url, "GET", "/documents", key)
    log = service.log.read_text()
    shown = log + "".join(
        call(service.url, "GET", path, keys["admin"]).text
        for path in ("/health", "/metrics", "/openapi.json")
    )
    assert not any(key in shown for key in (*keys.values(), WRONG))
    named = [json.loads(line) for line in log.splitlines() if '"route":"/search"' in line]
    assert {line.get("key") for line in named if line["status"] == 200} == {"default"}
    assert {line.get("key") for line in named if line["status"] == 401} == {None}


def test_the_description_says_where_keys_go(service: RunningService) -> None:
    schema = httpx.get(f"{service.url}/openapi.json", timeout=30).json()
    assert schema["security"] == [{"bearer": []}, {"header": []}]
    assert schema["paths"]["/live"]["get"]["security"] == []
    assert httpx.get(f"{service.url}/docs", timeout=30).status_code == 200


@pytest.mark.parametrize("role", [None, "query"])
def test_the_command_line_says_why_a_large_file_is_not_taken(
    role: str | None, service: RunningService, keys: dict[str, str], tmp_path: Path
) -> None:
    """The service ends the connection in the middle of the upload, which by itself says nothing."""
    large = tmp_path / "large.txt"
    large.write_bytes(b"word " * (8 * 2**20))
    environment = {**os.environ, "RAGFLEET_URL": service.url}
    environment.pop("RAGFLEET_API_KEY", None)
    if role is not None:
        environment["RAGFLEET_API_KEY"] = keys[role]
    command = [sys.executable, "-m", "ragfleet_cli", "ingest", str(large)]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert f"the service answered {401 if role is None else 403}: " in line
