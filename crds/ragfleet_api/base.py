"""What every model of the API has in common: strictness, camelCase, and rules stated once for all."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


@dataclass(frozen=True, slots=True)
class Rule:
    """One validation rule, stated for the API server and for Python.

    cel: the expression of ``x-kubernetes-validations``; ``self`` is the object, or the map, that declares
    the rule.
    message: what to change, shown by both.
    field: the JSON name of the field that the message is about, or "" for all of it.
    holds: the same condition over what was parsed.
    """

    cel: str
    message: str
    field: str
    holds: Callable[[Any], bool]

    def as_extension(self) -> dict[str, Any]:
        """The rule as an item of ``x-kubernetes-validations``."""
        extension = {"rule": self.cel, "message": self.message, "reason": "FieldValueInvalid"}
        if self.field:
            extension["fieldPath"] = f".{self.field}"
        return extension


def check_rules(rules: Iterable[Rule], value: Any) -> None:
    """Raise PydanticCustomError, of the type "rule", with every rule that the value breaks."""
    broken = [rule for rule in rules if not rule.holds(value)]
    if broken:
        raise PydanticCustomError(
            "rule",
            "{message}",
            {
                "message": "; ".join(rule.message for rule in broken),
                "violations": [{"field": rule.field, "message": rule.message} for rule in broken],
            },
        )


def _declare_rules(schema: dict[str, Any], model: type[ApiModel]) -> None:
    if model.rules:
        schema["x-kubernetes-validations"] = [rule.as_extension() for rule in model.rules]


class ApiModel(BaseModel):
    """Base of every object in the manifest: unknown fields are errors, names are camelCase, values immutable.

    A model's JSON schema carries its rules. In Python either name of a field is taken; readers of manifests
    pass ``by_name=False``, since the API server knows only the camelCase name.
    """

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_extra=_declare_rules,
    )

    rules: ClassVar[tuple[Rule, ...]] = ()

    @classmethod
    def attribute_of(cls, json_name: str) -> str:
        """The attribute that a JSON name stands for. Raises LookupError where there is none."""
        for name, field in cls.model_fields.items():
            if field.alias == json_name:
                return name
        raise LookupError(json_name)

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        check_rules(self.rules, self)
        return self
