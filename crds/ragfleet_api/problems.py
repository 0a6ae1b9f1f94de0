"""What is wrong with a manifest, and where."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

# Where a value is in the object: field names, and positions in lists.
Path = tuple[str | int, ...]

_PLAIN_KEY = re.compile(r"[A-Za-z0-9_-]+")
_SHOWN = 60
# Where passwords and keys stand in an address: before an @, in a query, behind a #.
_USER_INFO = re.compile(r"://.*@", re.DOTALL)
_QUERY = re.compile(r"(://[^?#]*[?#]).+", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to change.

    path: of the value from the object's root, as in ``spec.retrieval.topK``; "" for the file as a whole.
    line: in the source, from 1; None where there is none.
    message: what was found and what is allowed.
    source: the file, "stdin", or the ``--set`` argument that the value comes from.
    """

    path: str
    line: int | None
    message: str
    source: str

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        text = ": ".join(part for part in (place, self.path, self.message) if part)
        # A file's name and an argument may hold bytes that are not text; a message can always be printed.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


class ManifestError(Exception):
    """A manifest cannot be used. ``problems`` holds all that was found; the text has one line for each."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


def show_path(path: Path) -> str:
    """The path as Kubernetes writes it: ``spec.items[0].name``, ``metadata.labels[example.com/team]``."""
    text = ""
    for step in path:
        if isinstance(step, int) or not _PLAIN_KEY.fullmatch(step):
            text += f"[{step}]"
        else:
            text += f".{step}" if text else step
    return text


def hide_credentials(text: str) -> str:
    """The text without what may be secret in an address that it holds: user info, query and fragment."""
    return _QUERY.sub(r"\1…", _USER_INFO.sub("://…@", text))


def show_value(value: object) -> str:
    """A value as YAML would hold it, cut to one short line, with credentials of an address hidden."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, str):
        value = hide_credentials(value)
    if isinstance(value, str) and len(value) > _SHOWN:
        return f"{json.dumps(value[:_SHOWN], ensure_ascii=False)}… ({len(value)} characters)"
    return json.dumps(value, ensure_ascii=False)
