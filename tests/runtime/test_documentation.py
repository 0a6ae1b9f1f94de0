"""What the documents say can be done is done here: every command in a block marked ``sh`` runs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args, get_origin

import pytest
from pydantic import BaseModel

from ragfleet_api.manifest import parse_manifest
from ragfleet_api.spec import RAGPipelineSpec
from ragfleet_runtime.api import problems
from support.service import running_service

ROOT = Path(__file__).parents[2]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "SECURITY.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
_DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Block:
    """A fenced block of a document."""

    document: str
    language: str
    text: str

    def commands(self) -> list[str]:
        """The commands of a shell block, without comments; a line that ends in a backslash goes on."""
        lines = self.text.replace("\\\n", " ").splitlines()
        return [line.split("  #")[0].strip() for line in lines if line.strip() and not line.startswith("#")]


def blocks(language: str) -> list[Block]:
    return [
        Block(path.name, found[1], found[2])
        for path in DOCUMENTS
        for found in _BLOCK.finditer(path.read_text())
        if found[1] == language
    ]


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    """A folder with the examples, and the address of the quickstart's service with its documents."""
    folder = tmp_path_factory.mktemp("documents")
    shutil.copytree(ROOT / "examples", folder / "examples")
    (folder / "pipeline.yaml").write_text((ROOT / "examples/quickstart/pipeline.yaml").read_text())
    with running_service(folder) as service:
        yield folder, service.url


def shell_commands() -> list[tuple[str, str]]:
    return [(block.document, command) for block in blocks("sh") for command in block.commands()]


@pytest.mark.parametrize(("document", "command"), shell_commands())
def test_a_command_of_a_document_runs(document: str, command: str, sandbox: tuple[Path, str]) -> None:
    folder, url = sandbox
    if command.startswith("make "):
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert command.split()[1] in targets
        return
    if command.startswith("ragfleet up "):
        command += " --help"  # it would serve until stopped; the fixture runs one
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "RAGFLEET_URL": url,
        "CURL_HOME": str(folder),
    }
    done = subprocess.run(
        ["bash", "-c", f"set -e -o pipefail; {command.replace(_DEFAULT_URL, url)}"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, f"{document}: {command}\n{done.stdout}\n{done.stderr}"
    assert '"type":"https://ragfleet.dev/problems/' not in done.stdout, done.stdout


def test_there_are_commands_to_run() -> None:
    assert len(shell_commands()) > 10


@pytest.mark.parametrize("block", blocks("yaml"), ids=lambda block: block.document)
def test_a_manifest_of_a_document_is_valid(block: Block) -> None:
    if "kind: RAGPipeline" in block.text:
        parse_manifest(block.text, block.document)


@pytest.mark.parametrize("document", list(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")))
def test_links_lead_somewhere(document: Path) -> None:
    for target in _LINK.findall(document.read_text()):
        if "://" not in target:
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_problem_is_documented() -> None:
    text = (ROOT / "docs/problems.md").read_text()
    for problem in problems.ALL:
        assert f"| `{problem.slug}` | {problem.status} |" in text


def test_every_field_of_the_manifest_is_documented() -> None:
    text = (ROOT / "docs/manifest.md").read_text()
    for path in _leaves(RAGPipelineSpec):
        assert f"| `{path}` |" in text


def _leaves(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for field in model.model_fields.values():
        path = f"{prefix}{field.alias}"
        # What a list holds is told below the list, in rows of its own.
        parts = () if get_origin(field.annotation) is list else get_args(field.annotation)
        nested = [part for part in (field.annotation, *parts) if _is_model(part)]
        if nested:
            yield from _leaves(nested[0], f"{path}.")
        else:
            yield path


def _is_model(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
