"""What every model of the API has in common: strictness, camelCase, and rules stated once for both checkers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation rule, stated for the API server and for Python.

    cel: the expression of ``x-kubernetes-validations``; ``self`` is the object that declares the rule.
    message: what to change, shown by both.
    field: the JSON name of the field that the message is about, or "" for the object.
    holds: the same condition over the parsed model.
    """

    cel: str
    message: str
    field: str
    holds: Callable[[Any], bool]


class ApiModel(BaseModel):
    """Base of every object in the manifest: unknown fields are errors, names are camelCase, values immutable."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        for rule in self.rules:
            if not rule.holds(self):
                raise PydanticCustomError("rule", "{message}", {"message": rule.message, "field": rule.field})
        return self
