from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_cli.errors import CliError
from ragfleet_cli.main import main
from ragfleet_cli.service_config import read_config
from ragfleet_runtime.errors import StartError
from support.configs import make_config

CONFIGS = [
    make_config(),
    make_config(auth={}),
    make_config(
        vectorStore={
            "type": "Qdrant",
            "qdrant": {"url": "http://q:6333", "apiKeySecretRef": {"name": "q", "key": "k"}},
            "index": {"metadata": [{"key": "team", "type": "Keyword"}]},
        },
        embedding={"type": "FastEmbed", "fastEmbed": {"model": "a/b", "path": "/models/b"}},
    ),
]


class AdminPort(NamedTuple):
    host: str
    port: int
    secret: str


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the service was started with."""
    monkeypatch.setenv("HF_HOME", "/set/by/hand")
    found: list[tuple[Any, ...]] = []
    put_in_place(
        monkeypatch, lambda config, folder, secrets, **options: found.append((config, folder, options))
    )
    return found


def put_in_place(monkeypatch: pytest.MonkeyPatch, serve: Callable[..., None]) -> None:
    module = ModuleType("ragfleet_runtime.serve")
    module.__dict__.update(serve=serve, AdminPort=AdminPort, log_ready=print)
    monkeypatch.setitem(sys.modules, "ragfleet_runtime.serve", module)


def run(folder: Path, config: object, *arguments: str) -> int:
    text = config.canonical_json() if isinstance(config, RuntimeConfig) else config
    (folder / "config.json").write_text(text if isinstance(text, str) else json.dumps(text))
    base = ["serve", "--config", str(folder / "config.json"), "--secrets-dir", str(folder / "secrets")]
    return main([*base, "--data", str(folder / "data"), *arguments])


@pytest.mark.parametrize("config", CONFIGS)
def test_the_service_runs_what_the_operator_wrote(
    config: RuntimeConfig, tmp_path: Path, calls: list[tuple[Any, ...]]
) -> None:
    assert run(tmp_path, config) == 0
    ((found, folder, options),) = calls
    assert found == config
    assert folder == tmp_path / "data"
    options.pop("on_ready")
    assert options == {
        "host": "127.0.0.1",
        "port": 8080,
        "log_level": "info",
        "json_logs": True,
        "admin": ("127.0.0.1", 8081, "handbook-admin"),
    }


def test_the_admin_port_listens_where_the_public_one_does_unless_it_is_told(
    tmp_path: Path, calls: list[tuple[Any, ...]]
) -> None:
    assert run(tmp_path, make_config(), "--host", "0.0.0.0", "--admin-port", "9") == 0
    assert run(tmp_path, make_config(), "--host", "0.0.0.0", "--admin-host", "127.0.0.2") == 0
    assert [options["admin"][:2] for _, _, options in calls] == [("0.0.0.0", 9), ("127.0.0.2", 8081)]


def test_models_that_are_fetched_are_kept_in_the_data_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, calls: list[tuple[Any, ...]]
) -> None:
    assert run(tmp_path, make_config()) == 0
    assert os.environ["HF_HOME"] == "/set/by/hand"
    monkeypatch.delenv("HF_HOME")
    assert run(tmp_path, make_config()) == 0
    assert os.environ["HF_HOME"] == str(tmp_path / "data" / ".models")


def changed(**fields: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(make_config().canonical_json())
    return {**found, **fields}


def test_another_version_of_the_configuration_is_refused(
    tmp_path: Path, calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, changed(configVersion=2, sharding={"of": "tomorrow"})) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        f"ragfleet: {tmp_path / 'config.json'}: configVersion is 2, and this build (0.1.0) reads "
        "configVersion 1: name a newer image in spec.runtime.image, one of the operator's version"
    )
    without = changed()
    del without["configVersion"]
    assert run(tmp_path, without) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(
        "configVersion is missing, and this build (0.1.0) reads configVersion 1: "
        "give the configuration that the operator wrote"
    )
    assert not calls


@pytest.mark.parametrize(
    ("told", "way_out"),
    [
        (0, "name an older image in spec.runtime.image, or run an operator of this image's version"),
        (-1, "name an older image in spec.runtime.image, or run an operator of this image's version"),
        (10**9, "name a newer image in spec.runtime.image, one of the operator's version"),
        *((told, "give the configuration that the operator wrote") for told in ("1", 1.0, True, None, [1])),
    ],
)
def test_a_version_is_a_number_and_what_to_do_is_told_by_its_side(
    told: Any, way_out: str, tmp_path: Path
) -> None:
    file = tmp_path / "config.json"
    file.write_text(json.dumps(changed(configVersion=told)))
    with pytest.raises(CliError) as caught:
        read_config(file)
    this = "this build (0.1.0) reads configVersion 1"
    assert str(caught.value) == f"{file}: configVersion is {json.dumps(told)}, and {this}: {way_out}"


def test_the_command_itself_refuses_another_version_before_anything_else(tmp_path: Path) -> None:
    """Of a whole process: its exit code, and its standard streams, which are all that a pod's log has."""
    file = tmp_path / "config.json"
    file.write_text(json.dumps({"configVersion": 2, "sharding": {"of": "tomorrow"}}))
    command = [sys.executable, "-m", "ragfleet_cli", "serve", "--config", str(file)]
    ended = subprocess.run(
        [*command, "--secrets-dir", str(tmp_path / "none"), "--data", str(tmp_path / "data"), "--port", "0"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 2
    assert ended.stdout == ""
    assert ended.stderr == (
        f"ragfleet: {file}: configVersion is 2, and this build (0.1.0) reads configVersion 1: "
        "name a newer image in spec.runtime.image, one of the operator's version\n"
    )
    assert not (tmp_path / "data").exists()


def test_unknown_and_missing_fields_are_named_without_their_values(
    tmp_path: Path, calls: list[tuple[Any, ...]], capsys: pytest.CaptureFixture[str]
) -> None:
    config = changed(sharding="a secret", chunking={"strategy": "Adaptive", "maxTokens": "twelve"})
    config["retrieval"]["top_k"] = config["retrieval"].pop("topK")
    assert run(tmp_path, config) == 2
    err = capsys.readouterr().err
    place = f"ragfleet: {tmp_path / 'config.json'}"
    assert sorted(err.splitlines()) == sorted(
        [
            f"{place}: sharding: unknown field",
            f"{place}: retrieval.top_k: unknown field",
            f"{place}: retrieval.topK: missing",
            f"{place}: chunking.maxTokens: input should be a valid integer",
            f"{place}: chunking.overlapTokens: missing",
            f"{place}: this build (0.1.0) reads configVersion 1: run the service and the operator in "
            "versions that belong together",
        ]
    )
    assert not calls


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "not JSON"),
        ("apiVersion: ragfleet.dev/v1alpha1", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("[1]", "not a JSON object"),
        ("\udcff", "not JSON"),
        ('{"a": "' + "x" * 2**20 + '"}', "larger than 1 MiB"),
    ],
    ids=["empty", "a manifest", "deep", "list", "no text", "large"],
)
def test_what_is_no_configuration_is_one_plain_line(text: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "config.json").write_bytes(text.encode(errors="surrogateescape"))
    with pytest.raises(CliError) as caught:
        read_config(tmp_path / "config.json")
    assert told in str(caught.value)
    assert len(str(caught.value)) < 300
    with pytest.raises(CliError, match="no such file or directory"):
        read_config(tmp_path / "nowhere.json")


def test_a_port_in_use_is_one_plain_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def serve(*_: Any, **__: Any) -> None:
        raise StartError("can't listen on 127.0.0.1:8081: Address already in use")

    monkeypatch.setenv("HF_HOME", "/set/by/hand")
    put_in_place(monkeypatch, serve)
    assert run(tmp_path, make_config()) == 2
    assert capsys.readouterr().err == "ragfleet: can't listen on 127.0.0.1:8081: Address already in use\n"
