"""The options that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


def examples(*lines: str) -> str:
    """The closing part of a help text; the lines are shown as they are."""
    # A paragraph that starts with a backspace is not wrapped.
    return "\n".join(["\b", "Examples:", *(f"  {line}" for line in lines)])


ManifestFile = Annotated[
    Path,
    typer.Option("--file", "-f", metavar="FILE", help="The manifest; - reads it from standard input."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="FIELD=VALUE",
        help="Change a field of the manifest, as in retrieval.topK=5. Repeatable.",
    ),
]
Url = Annotated[
    str, typer.Option("--url", metavar="URL", envvar="RAGFLEET_URL", help="Address of the service.")
]
ApiKeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="File with the API key. Default: the key is what the variable RAGFLEET_API_KEY holds.",
    ),
]
Secrets = Annotated[
    list[str] | None,
    typer.Option(
        "--secret",
        metavar="NAME.KEY=SOURCE",
        help="An entry of a Secret: env:VARIABLE or file:PATH says where its value is. Repeatable.",
    ),
]
SecretsDir = Annotated[
    Path | None,
    typer.Option(
        metavar="DIR", envvar="RAGFLEET_SECRETS_DIR", help="Folder with Secrets, as files NAME/KEY."
    ),
]
Filters = Annotated[
    list[str] | None,
    typer.Option(
        "--filter",
        metavar="KEY=VALUE",
        help="Only documents whose metadata has the value. Repeatable: keys must all match, and of several "
        "values for one key, any.",
    ),
]


class LogLevel(StrEnum):
    """Least important message that is logged."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class SearchMode(StrEnum):
    """How passages are found."""

    SPARSE = "sparse"
    DENSE = "dense"
    HYBRID = "hybrid"


Mode = Annotated[
    SearchMode | None, typer.Option("--mode", help="How passages are found. Default: the pipeline's mode.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]

DEFAULT_URL = "http://127.0.0.1:8080"
