"""Reads a RAGPipeline as the API server has it."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from ragfleet_api.manifest_errors import describe
from ragfleet_api.resource import RAGPipeline
from ragfleet_api.schema import structural_schema
from ragfleet_operator.model import Key, Object, Pipeline
from ragfleet_operator.text import one_line


class InvalidPipelineError(Exception):
    """A stored object isn't valid for this version. The text is one line, with the paths to change."""


def read_pipeline(obj: Object) -> Pipeline:
    """The pipeline. Raises InvalidPipelineError."""
    metadata = obj["metadata"]
    # A status is written by us: one of another version is no fault of the object.
    value: dict[str, Any] = {name: part for name, part in obj.items() if name != "status"}
    try:
        parsed = RAGPipeline.model_validate(value, by_alias=True, by_name=False)
    except ValidationError as error:
        found = error.errors(include_url=False)
        problems = describe(found, structural_schema(RAGPipeline), lambda _: ("", None))
        raise InvalidPipelineError(one_line("; ".join(str(problem) for problem in problems))) from None
    return Pipeline(
        key=Key(metadata["namespace"], metadata["name"]),
        uid=metadata["uid"],
        generation=metadata["generation"],
        spec=parsed.spec,
        status=obj.get("status") or {},
        annotations=metadata.get("annotations") or {},
    )
