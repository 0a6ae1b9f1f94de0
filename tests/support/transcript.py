"""A document whose console blocks hold commands and what they print; run again, they print the same."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_PROMPT = "$ "
# What differs from run to run: moments, ages, what the API server makes up, and the widths of columns.
_VARIABLE = (
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"), "MOMENT"),
    (re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b"), "UID"),
    (re.compile(r"(?<=Resource Version:)\s+\d+"), " N"),
    (re.compile(r"-[0-9a-f]{8,10}-[a-z0-9]{5}\b"), "-POD"),
    (re.compile(r"-[0-9a-f]{10}\b"), "-HASH"),
    (re.compile(r"(?<=:) +[0-9a-f]{10}$", re.MULTILINE), " REVISION"),
    (re.compile(r"\b[0-9a-f]{32,64}\b"), "DIGEST"),
    (re.compile(r"\b\d{1,3}(\.\d{1,3}){3}\b"), "ADDRESS"),
    (re.compile(r"<(unknown|invalid)>"), "AGE"),
    (re.compile(r"\b(\d+[hms])+\b(?! sleep)"), "AGE"),
    (re.compile(r"AGE( \(x\d+ over AGE\))?"), "AGE"),
    (re.compile(r"[ \t]+"), " "),
    (re.compile(r"-{2,}"), "--"),
)


@dataclass(frozen=True)
class Step:
    """A command and what the document says that it prints."""

    command: str
    output: str


def steps(text: str) -> list[Step]:
    """The commands of a document, in their order."""
    return [step for block in _BLOCK.finditer(text) for step in _steps_of(block[1])]


def _steps_of(block: str) -> Iterator[Step]:
    for part in re.split(rf"^{re.escape(_PROMPT)}", block, flags=re.MULTILINE)[1:]:
        command, _, output = part.partition("\n")
        yield Step(command, output)


def run(command: str, folder: Path, environment: Mapping[str, str], seconds: float = 60) -> str:
    """What a shell prints for a command, both streams. Raises CalledProcessError where it fails."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=dict(environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=seconds,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"exit code {done.returncode} from: {command}\n{done.stdout}")
    return done.stdout


def normal(output: str) -> list[str]:
    """The lines of an output without what differs from run to run."""
    for pattern, replacement in _VARIABLE:
        output = pattern.sub(replacement, output)
    return [line.strip() for line in output.splitlines() if line.strip()]


def rewritten(text: str, outputs: Iterable[str]) -> str:
    """The document with other outputs, in the order of its commands."""
    supply = iter(outputs)

    def block(match: re.Match[str]) -> str:
        body = "".join(f"{_PROMPT}{step.command}\n{next(supply)}" for step in _steps_of(match[1]))
        return f"```console\n{body}```"

    return _BLOCK.sub(block, text)
