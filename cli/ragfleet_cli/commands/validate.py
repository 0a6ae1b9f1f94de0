"""``ragfleet validate``."""

from __future__ import annotations

from typing import Final

from ragfleet_cli.options import Json, ManifestFile, Overrides, examples
from ragfleet_cli.output import emit, emit_json, note

EXAMPLES: Final = examples(
    "ragfleet validate -f pipeline.yaml",
    "ragfleet validate -f pipeline.yaml --set retrieval.topK=500",
    "ragfleet validate -f - --json < pipeline.yaml",
)
INVALID: Final = 2


def validate(file: ManifestFile, overrides: Overrides = None, json: Json = False) -> int:
    """Check a manifest, and print all that is wrong with it.

    With --json, a list of problems: path, line, message, source. Exit code 2: there are problems.
    """
    from ragfleet_api.problems import ManifestError  # noqa: PLC0415 - see ragfleet_cli.main
    from ragfleet_cli.pipeline import load_pipeline  # noqa: PLC0415

    try:
        load_pipeline(file, overrides or ())
    except ManifestError as error:
        if json:
            emit_json(
                [
                    {
                        "path": problem.path,
                        "line": problem.line,
                        "message": problem.message,
                        "source": problem.source,
                    }
                    for problem in error.problems
                ]
            )
        else:
            for problem in error.problems:
                note(f"ragfleet: {problem}")
        return INVALID
    if json:
        emit_json([])
    else:
        emit(f"{file}: valid")
    return 0
