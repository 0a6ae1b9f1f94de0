from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ragfleet_cli.main import main
from support.case import MINIMAL
from support.sections import EXPOSURES

Captured = pytest.CaptureFixture[str]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    spec = {**MINIMAL["spec"], "auth": {"required": True}, "exposure": EXPOSURES["HTTPRoute"]}
    path.write_text(json.dumps({**MINIMAL, "spec": spec}))
    return path


def printed(capsys: Captured, *arguments: str) -> list[dict[str, Any]]:
    assert main(["render", *arguments]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return list(yaml.safe_load_all(captured.out))


def test_the_children_are_printed_as_a_stream(manifest: Path, capsys: Captured) -> None:
    kinds = [child["kind"] for child in printed(capsys, "-f", str(manifest))]
    assert kinds[:3] == ["ServiceAccount", "Secret", "Secret"]
    assert {"ConfigMap", "PersistentVolumeClaim", "NetworkPolicy", "Service", "Deployment"} <= set(kinds)
    assert "HTTPRoute" in kinds


def test_as_json_they_are_a_list_of_the_same(manifest: Path, capsys: Captured) -> None:
    stream = printed(capsys, "-f", str(manifest))
    assert main(["render", "-f", str(manifest), "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"apiVersion": "v1", "kind": "List", "items": stream}


def test_values_of_generated_secrets_are_not_there(manifest: Path, capsys: Captured) -> None:
    secrets = [child for child in printed(capsys, "-f", str(manifest)) if child["kind"] == "Secret"]
    values = {value for secret in secrets for value in secret["stringData"].values()}
    assert values == {"(generated)"}


def test_values_of_secrets_beside_the_manifest_are_not_printed(manifest: Path, capsys: Captured) -> None:
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "keys"},
        "stringData": {"token": "canary-9d1c"},
    }
    manifest.write_text(f"{manifest.read_text()}\n---\n{json.dumps(secret)}\n")
    assert main(["render", "-f", str(manifest)]) == 0
    captured = capsys.readouterr()
    assert "canary" not in captured.out + captured.err


def test_nothing_is_said_of_an_owner_that_no_cluster_has(manifest: Path, capsys: Captured) -> None:
    children = printed(capsys, "-f", str(manifest))
    assert all("ownerReferences" not in child["metadata"] for child in children)


def test_the_namespace_and_the_image_are_those_that_are_given(manifest: Path, capsys: Captured) -> None:
    image = "registry.example/ragfleet:9"
    children = printed(capsys, "-f", str(manifest), "--namespace", "team-b", "--image", image)
    assert {child["metadata"]["namespace"] for child in children} == {"team-b"}
    (deployment,) = [child for child in children if child["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == image
    own = [*("-f", str(manifest)), *("--image", image), *("--set", "runtime.image=own:1")]
    (deployment,) = [child for child in printed(capsys, *own) if child["kind"] == "Deployment"]
    assert deployment["spec"]["template"]["spec"]["containers"][0]["image"] == "own:1"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "replicas=-1"], "--set replicas=-1: spec.replicas: found -1; must be an integer"),
        (["--namespace", "Team"], "--namespace Team: must be a namespace's name, as in team-a"),
        (["--image", "a b"], "--image a b: must be an image's name"),
    ],
)
def test_what_is_wrong_is_one_plain_line(
    arguments: list[str], message: str, manifest: Path, capsys: Captured
) -> None:
    assert main(["render", "-f", str(manifest), *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith(f"ragfleet: {message}")


def test_every_problem_is_told_as_validate_tells_it(manifest: Path, capsys: Captured) -> None:
    arguments = ["-f", str(manifest), "--set", "retrieval.topK=500", "--set", "replicas=-1"]
    assert main(["validate", *arguments]) == 2
    told = capsys.readouterr().err
    assert len(told.splitlines()) == 2
    assert main(["render", *arguments]) == 2
    assert capsys.readouterr().err == told


def test_rendering_needs_neither_a_client_of_kubernetes_nor_the_service(manifest: Path) -> None:
    code = (
        "import sys; from ragfleet_cli.main import main; "
        f"code = main(['render', '-f', {str(manifest)!r}]); "
        "loaded = {'kopf', 'kubernetes', 'aiohttp', 'ragfleet_runtime'} & set(sys.modules); "
        "sys.exit(code or ', '.join(loaded) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_the_help_has_examples(capsys: Captured) -> None:
    assert main(["render", "--help"]) == 0
    _, _, after = capsys.readouterr().out.partition("Examples:")
    lines = after.strip().splitlines()
    assert len(lines) >= 2
    assert all(line.strip().startswith("ragfleet render") for line in lines)
