from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ragfleet_cli.errors import CliError
from ragfleet_cli.main import main
from support.fake_service import FakeService
from support.rule_cases import MINIMAL

COMMANDS = (
    "up",
    "serve",
    "ingest",
    "ask",
    "search",
    "evaluate",
    "validate",
    "operator",
    "render",
    "rollback",
    "crd",
)
Captured = pytest.CaptureFixture[str]


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps(MINIMAL))
    return path


def run_python(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], check=False, capture_output=True, text=True, timeout=60, **options
    )


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_each_command_has_an_example_of_it(command: str, capsys: Captured) -> None:
    assert main([command, "--help"]) == 0
    _, _, after = capsys.readouterr().out.partition("Examples:")
    lines = after.strip().splitlines()
    assert len(lines) >= 2
    assert all(line.strip().startswith(f"ragfleet {command}") for line in lines)


def test_without_a_command_the_help_is_shown(capsys: Captured) -> None:
    assert main([]) == 0
    out = capsys.readouterr().out
    assert all(f"  {command} " in out for command in COMMANDS)
    assert "--install-completion" in out


def test_version(capsys: Captured) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("ragfleet 0.")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nonsense"], "No such command 'nonsense'"),
        (["ask"], "Missing argument 'QUESTION'"),
        (["ask", "why", "--nope"], "No such option: --nope"),
        (["ask", "why", "--top-k", "900"], "Invalid value for '--top-k'"),
        (["ask", "why", "--url", "ftp://host"], "--url ftp://host: must be an address such as"),
        (["ask", "why", "--url", "host:80:90"], "--url host:80:90: "),
        (["ask", "why", "--filter", "x"], "--filter x: must be KEY=VALUE"),
        (["ask", "why", "--url", "http://127.0.0.1:1"], "no service at http://127.0.0.1:1"),
        (["evaluate", "--dataset", "d"], "evaluate takes either -f FILE or --url URL"),
        (["evaluate", "--dataset", "d", "-f", "a", "--url", "http://x"], "either -f FILE or --url URL"),
        (
            ["evaluate", "--dataset", "d", "--url", "http://x", "--set", "a=b"],
            "--set, --data and --secret go with -f",
        ),
        (["evaluate", "--dataset", "d", "-f", "a", "--keep"], "--keep goes with --url"),
        (["evaluate", "--dataset", "d", "--url", "http://x", "--secret", "a.b=env:C"], "--secret go with -f"),
        (["evaluate", "--dataset", "d", "-f", "a", "--api-key-file", "k"], "--api-key-file goes with --url"),
        (["ingest", "/nonexistent/file"], "/nonexistent/file: no such file or directory"),
        (["up", "-f", "/nonexistent/file"], "/nonexistent/file: no such file"),
    ],
)
def test_a_user_error_is_one_plain_line(arguments: list[str], message: str, capsys: Captured) -> None:
    assert main(arguments) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.splitlines()
    assert line.startswith("ragfleet: ")
    assert message in line


def test_the_debug_variable_shows_where_an_error_comes_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RAGFLEET_DEBUG", "1")
    with pytest.raises(CliError, match="KEY=VALUE"):
        main(["ask", "why", "--filter", "x"])


def test_an_operating_system_error_is_one_plain_line(
    tmp_path: Path, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device", str(tmp_path))

    monkeypatch.setattr("ragfleet_cli.ingestion.discover", full)
    assert main(["ingest", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"ragfleet: No space left on device: {tmp_path}\n"


def test_validate_says_that_a_manifest_is_valid(manifest: Path, capsys: Captured) -> None:
    assert main(["validate", "-f", str(manifest), "--set", "retrieval.topK=5"]) == 0
    assert capsys.readouterr().out == f"{manifest}: valid\n"
    assert main(["validate", "-f", str(manifest), "--json"]) == 0
    assert capsys.readouterr().out == "[]\n"


def test_validate_prints_every_problem(manifest: Path, capsys: Captured) -> None:
    settings = ["--set", "retrieval.topK=500", "--set", "replicas=-1"]
    assert main(["validate", "-f", str(manifest), *settings]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        f"ragfleet: --set {problem}"
        for problem in (
            "retrieval.topK=500: spec.retrieval.topK: found 500; must be an integer from 1 to 100",
            "replicas=-1: spec.replicas: found -1; must be an integer from 0 to 1000",
        )
    ]
    assert main(["validate", "-f", str(manifest), *settings, "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.err == ""
    problems = json.loads(captured.out)
    assert [problem["path"] for problem in problems] == ["spec.retrieval.topK", "spec.replicas"]
    assert problems[0].keys() == {"path", "line", "message", "source"}


def test_up_prints_each_problem_of_the_manifest(manifest: Path, capsys: Captured) -> None:
    assert main(["up", "-f", str(manifest), "--set", "retrieval.topK=500", "--set", "replicas=2"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines
    assert all(line.startswith("ragfleet: --set ") for line in lines)


def test_crd_prints_the_definition(capsys: Captured) -> None:
    from ragfleet_api.crd import to_yaml

    assert main(["crd"]) == 0
    assert capsys.readouterr().out == to_yaml()


def test_help_needs_neither_the_service_nor_http() -> None:
    loads = (
        "import sys; from ragfleet_cli.main import main; main(['--help']); "
        "heavy = {'httpx', 'rich', 'numpy', 'yaml', 'ragfleet_runtime', 'ragfleet_api'} & set(sys.modules); "
        "sys.exit(repr(heavy) if heavy else 0)"
    )
    done = run_python("-c", loads)
    assert done.returncode == 0, done.stderr


def test_runs_as_a_module(manifest: Path) -> None:
    done = run_python("-m", "ragfleet_cli", "validate", "-f", "-", input=manifest.read_text())
    assert (done.returncode, done.stdout, done.stderr) == (0, "-: valid\n", "")


@pytest.mark.parametrize("arguments", [["crd"], ["--help"], ["validate", "-f", "/nonexistent"]])
def test_a_closed_pipe_ends_it_quietly(arguments: list[str], tmp_path: Path) -> None:
    """Both streams lead into a pipe that nobody reads; what Python itself would say goes there too."""
    reports = tmp_path / "unraisable"
    script = (
        "import os, sys; read, write = os.pipe(); os.close(read); "
        "os.dup2(write, 1); os.dup2(write, 2); "
        f"sys.unraisablehook = lambda _: open({str(reports)!r}, 'w').close(); "
        f"from ragfleet_cli.main import main; sys.exit(main({arguments!r}))"
    )
    assert run_python("-c", script).returncode == 1
    assert not reports.exists()


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = f"{sys.executable} -m ragfleet_cli crd | head -n 1"
    done = subprocess.run(["sh", "-c", command], check=False, capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("#")
    assert done.stderr == ""


def test_what_the_terminal_cannot_encode_is_escaped(url: str, service: FakeService) -> None:
    service.answer = {"answer": "café 日", "sources": [], "citations": [], "confidence": 0.5, "degraded": []}
    environment = {"PYTHONIOENCODING": "latin-1"}
    done = run_python("-m", "ragfleet_cli", "ask", "why", "--url", url, env=environment, encoding="latin-1")
    assert done.stdout.splitlines()[0] == "café \\u65e5"
    assert done.returncode == 0


def test_shell_completion() -> None:
    environment = {
        **os.environ,
        "_RAGFLEET_COMPLETE": "complete_bash",
        "COMP_WORDS": "ragfleet v",
        "COMP_CWORD": "1",
    }
    done = run_python(
        "-c", "import sys; from ragfleet_cli.main import main; sys.exit(main())", env=environment
    )
    assert (done.returncode, done.stdout.split(), done.stderr) == (0, ["validate"], "")
