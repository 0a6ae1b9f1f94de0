from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ragfleet_cli.main import main
from ragfleet_runtime.errors import StartError
from support.rule_cases import MINIMAL


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps(MINIMAL))
    return path


def put_in_place(monkeypatch: pytest.MonkeyPatch, serve: Callable[..., None]) -> None:
    module = ModuleType("ragfleet_runtime.serve")
    module.__dict__["serve"] = serve
    monkeypatch.setitem(sys.modules, "ragfleet_runtime.serve", module)


def test_up_serves_the_projected_manifest(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    calls: list[tuple[Any, ...]] = []

    def serve(
        config: Any, folder: Path, secrets: Any, *, on_ready: Callable[[str], None], **options: Any
    ) -> None:
        calls.append((config, folder, options))
        on_ready("http://127.0.0.1:4321")

    put_in_place(monkeypatch, serve)
    arguments = ["-f", str(manifest), "--set", "retrieval.topK=5", "--port", "0", "--log-level", "error"]
    assert main(["up", *arguments]) == 0
    ((config, folder, options),) = calls
    assert config.retrieval.top_k == 5
    assert (config.owner.cluster, config.owner.namespace, config.owner.name) == (
        "local",
        "default",
        "handbook",
    )
    assert folder == Path(".ragfleet/default-handbook")
    assert options == {"host": "127.0.0.1", "port": 0, "log_level": "error", "json_logs": True}
    (line,) = capsys.readouterr().out.splitlines()
    assert "http://127.0.0.1:4321" in line.split()


def test_the_namespace_and_the_data_folder_can_be_set(
    manifest: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: list[Path] = []
    put_in_place(monkeypatch, lambda _, folder, __, **___: folders.append(folder))
    assert main(["up", "-f", str(manifest), "--set", "metadata.namespace=team-b"]) == 0
    assert main(["up", "-f", str(manifest), "--data", "/some/where"]) == 0
    assert folders == [Path(".ragfleet/team-b-handbook"), Path("/some/where")]


def test_a_service_that_cannot_start_is_one_plain_line(
    manifest: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(*_: Any, **__: Any) -> None:
        raise StartError("can't listen on 127.0.0.1:8080: Address already in use")

    put_in_place(monkeypatch, serve)
    assert main(["up", "-f", str(manifest)]) == 2
    assert capsys.readouterr().err == "ragfleet: can't listen on 127.0.0.1:8080: Address already in use\n"


def test_nothing_to_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    manifest = tmp_path / "pipeline.yaml"
    manifest.write_text(
        "apiVersion: ragfleet.dev/v1alpha1\nkind: RAGPipeline\nmetadata: {name: a}\n"
        "spec: {vectorStore: {type: Embedded}, generation: {type: Extractive}, auth: {required: false},\n"
        "       replicas: 0}\n"
    )
    assert main(["up", "-f", str(manifest), "--data", str(tmp_path / "data")]) == 2
    assert "spec.replicas is 0, so there is nothing to run" in capsys.readouterr().err
    assert not (tmp_path / "data").exists()


def test_generated_keys_are_made_once_and_where_they_are_is_told(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[dict[str, str]] = []

    def serve(config: Any, folder: Path, secrets: Any, *, on_ready: Callable[[str], None], **_: Any) -> None:
        found.append(dict(secrets.entries(config.auth.secret)))
        on_ready("http://127.0.0.1:4321")

    put_in_place(monkeypatch, serve)
    monkeypatch.chdir(tmp_path)
    arguments = ["up", "-f", str(manifest), "--set", "auth=null", "--data", "my data"]
    assert main(arguments) == 0
    assert main(arguments) == 0
    assert found[0] == found[1]
    assert found[0].keys() == {"default.query", "default.ingest", "default.admin"}
    place = tmp_path / "my data" / "handbook-api-keys"
    out, err = capsys.readouterr()
    assert out.splitlines()[1:3] == [
        f"Its API keys, for query, ingest, admin, are in {place}; to use one:",
        f"""  export RAGFLEET_API_KEY="$(cat '{place}/default.admin')\"""",
    ]
    exported = subprocess.run(
        ["sh", "-c", f'{out.splitlines()[2]}; echo "$RAGFLEET_API_KEY"'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert exported.stdout.strip() == found[0]["default.admin"]
    assert not any(key in out + err for key in found[0].values())


def test_keys_of_a_secret_that_is_given_are_not_made(
    manifest: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALICE", "key-of-alice-0123456789")
    found: list[Any] = []

    def serve(config: Any, folder: Path, secrets: Any, *, on_ready: Callable[[str], None], **_: Any) -> None:
        found.append(secrets.entries("team"))
        on_ready("http://127.0.0.1:4321")

    put_in_place(monkeypatch, serve)
    arguments = ["up", "-f", str(manifest), "--set", "auth=null", "--set", "auth.apiKeys.secretRef.name=team"]
    arguments += ["--data", str(tmp_path / "data"), "--secret", "team.alice.query=env:ALICE"]
    assert main(arguments) == 0
    assert found == [{"alice.query": "key-of-alice-0123456789"}]
    assert not (tmp_path / "data").exists()
    assert len(capsys.readouterr().out.splitlines()) == 1
