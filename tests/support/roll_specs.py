"""Specifications that differ in one field, for tests of what an edit does."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from ragfleet_api.schema import structural_schema
from ragfleet_api.spec import RAGPipelineSpec
from support.case import changed
from support.sections import around, leaves, put, valid_values

LEAVES: Final = dict(leaves(structural_schema(RAGPipelineSpec)))


def with_values(path: str) -> list[dict[str, Any]]:
    """A spec for each valid value of a field, as JSON."""
    return [
        changed({f"spec.{key}": item for key, item in around(path, value).items()})["spec"]
        for value in valid_values(path, LEAVES[path])
    ]


def without(path: str) -> Iterator[dict[str, Any]]:
    """The same without the field, and without each section that it is in, where that is valid."""
    above = [path[: found.start()] for found in re.finditer(r"[.\[]", path)]
    for place in (*above, path):
        spec = copy.deepcopy(with_values(path)[-1])
        try:
            put(spec, place, ...)
            RAGPipelineSpec.model_validate(spec, by_name=False)
        except (ValidationError, KeyError):
            continue
        yield spec
