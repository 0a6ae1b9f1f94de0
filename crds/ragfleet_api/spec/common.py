"""What several sections of the specification share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule

# No user info: a password in an address would stand in every log. No query: paths are joined to it.
HTTPURL = Annotated[
    str,
    Field(
        min_length=8,
        max_length=1024,
        pattern=(
            r"^https?://([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?"
            r"(/[A-Za-z0-9._~%:@+/-]*)?$"
        ),
    ),
]
# What servers call their models: names of hubs, tags, folders, resource names; never with a space.
ModelName = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[!-~]+$")]
# A hub's name for a model; where its files lie is derived from it, so nothing in it leads elsewhere.
HubModelName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=192,
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$",
    ),
]
# Absolute, or relative to the service's working directory; no control characters.
FilePath = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\x00-\x1f\x7f]+$")]
Seconds = Annotated[int, Field(ge=1, le=600)]
Retries = Annotated[int, Field(ge=0, le=10)]

Language = Literal[
    "Arabic",
    "Danish",
    "Dutch",
    "English",
    "Finnish",
    "French",
    "German",
    "Greek",
    "Hungarian",
    "Italian",
    "Norwegian",
    "Portuguese",
    "Romanian",
    "Russian",
    "Spanish",
    "Swedish",
    "Turkish",
]

SecretName = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$")]
# As Kubernetes has it, neither "." nor "..", nor two dots at the start: keys become names of files.
SecretKey = Annotated[
    str,
    Field(min_length=1, max_length=253, pattern=r"^([A-Za-z0-9_-]|\.[A-Za-z0-9_-])[A-Za-z0-9._-]*$"),
]


class SecretKeyRef(ApiModel):
    """One entry of a Secret in the pipeline's namespace."""

    name: SecretName = Field(description="Name of the Secret.")
    key: SecretKey = Field(description="Key of the entry in it.")


class SecretRef(ApiModel):
    """A Secret in the pipeline's namespace."""

    name: SecretName = Field(description="Name of the Secret.")


def union_rules(sections: Mapping[str, str], *, optional: frozenset[str] = frozenset()) -> tuple[Rule, ...]:
    """Rules of a union that ``type`` discriminates: each type has its section, and no other's.

    sections: the JSON name of the section of each type. optional: types whose section may be left out.
    """
    return tuple(
        rule
        for type_, section in sections.items()
        for rule in _member_rules(type_, section, is_optional=type_ in optional)
    )


def _member_rules(type_: str, section: str, *, is_optional: bool) -> list[Rule]:
    def is_given(self: ApiModel) -> bool:
        return getattr(self, self.attribute_of(section)) is not None

    rules = [
        Rule(
            cel=f"self.type == '{type_}' || !has(self.{section})",
            message=f"{section} is for type {type_} only: take it away, or set type to {type_}",
            field=section,
            holds=lambda self: self.type == type_ or not is_given(self),
        )
    ]
    if not is_optional:
        rules.append(
            Rule(
                cel=f"self.type != '{type_}' || has(self.{section})",
                message=f"type {type_} needs the section {section}",
                field=section,
                holds=lambda self: self.type != type_ or is_given(self),
            )
        )
    return rules
