"""Values that aren't objects of the API and have rules of their own: maps, by their keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

from ragfleet_api.base import Rule, check_rules


class RuledBy:
    """Marks a value that rules hold for; in their CEL, ``self`` is the value."""

    def __init__(self, *rules: Rule) -> None:
        self._rules = rules

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The value's own checks, then the rules."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The value's schema with the rules."""
        return {
            **handler(schema),
            "x-kubernetes-validations": [rule.as_extension() for rule in self._rules],
        }

    def _check(self, value: Mapping[str, Any]) -> Mapping[str, Any]:
        check_rules(self._rules, value)
        return value
