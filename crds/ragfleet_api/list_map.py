"""Lists of objects that are maps: each item has a key of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from ragfleet_api.base import ApiModel
from ragfleet_api.problems import show_value


@dataclass(frozen=True, slots=True)
class MapBy:
    """Marks a list of models as a map (``x-kubernetes-list-type: map``).

    key: the JSON name of the field, a required string, that no two items may share. The API server holds to
    that by itself; here it is held in Python.
    """

    key: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The list's own checks, then that of the keys."""
        return core_schema.no_info_after_validator_function(self._check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The list's schema with Kubernetes' words for a map."""
        return {
            **handler(schema),
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": [self.key],
        }

    def _check(self, items: list[ApiModel]) -> list[ApiModel]:
        seen: set[str] = set()
        violations = []
        for position, item in enumerate(items):
            value = getattr(item, item.attribute_of(self.key))
            if value in seen:
                message = f"{self.key} {show_value(value)} is that of an item above; each needs its own"
                violations.append({"field": position, "message": message})
            seen.add(value)
        if violations:
            text = "; ".join(str(violation["message"]) for violation in violations)
            raise PydanticCustomError("rule", "{message}", {"message": text, "violations": violations})
        return items
