"""Values that Kubernetes has of its own, as sections of the specification use them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BeforeValidator, Field

from ragfleet_api.base import Rule
from ragfleet_api.ruled import RuledBy

# https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/, without exponents.
_NUMBER: Final = r"[0-9]+(\.[0-9]+)?"
Quantity = Annotated[
    str,
    Field(
        min_length=1,
        max_length=32,
        pattern=rf"^{_NUMBER}(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$",
        description="An amount, as in 500m or 2Gi.",
    ),
]
# Bytes are whole: no thousandths.
Size = Annotated[
    str, Field(min_length=1, max_length=32, pattern=rf"^{_NUMBER}(k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$")
]

_LABEL: Final = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN: Final = rf"{_LABEL}(\.{_LABEL})*"
ObjectName = Annotated[str, Field(min_length=1, max_length=253, pattern=rf"^{_SUBDOMAIN}$")]
NamespaceName = Annotated[str, Field(min_length=1, max_length=63, pattern=rf"^{_LABEL}$")]
HostName = Annotated[
    str, Field(min_length=1, max_length=253, pattern=rf"^{_SUBDOMAIN}$", description="A host's name.")
]
ImageName = Annotated[str, Field(min_length=1, max_length=512, pattern=r"^[a-z0-9][A-Za-z0-9._:/@-]*$")]
PullPolicy = Literal["Always", "IfNotPresent", "Never"]

_NAME: Final = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
# Names of labels, annotations, taints and devices' resources; a prefix can't be longer than the whole.
QUALIFIED_NAME: Final = rf"^({_SUBDOMAIN}/)?{_NAME}$"
MAX_QUALIFIED_NAME: Final = 253
LabelValue = Annotated[
    str,
    Field(
        max_length=63,
        pattern=r"^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$",
        description="Value of a label.",
    ),
]
_AnnotationValue = Annotated[str, Field(max_length=4096, description="Value of an annotation.")]


def keys_match(pattern: str, message: str) -> Rule:
    """The rule that every key of a map is of at most 253 characters and matches."""
    compiled = re.compile(pattern.removesuffix("$") + r"\Z")
    return Rule(
        # Of the length first: what is left out costs nothing of the budget.
        cel=f"self.all(key, key.size() <= {MAX_QUALIFIED_NAME} && key.matches('{_in_cel(pattern)}'))",
        message=message,
        field="",
        holds=lambda self: all(len(key) <= MAX_QUALIFIED_NAME and compiled.match(key) for key in self),
    )


def no_key_matches(pattern: str, message: str) -> Rule:
    """The rule that no key of a map matches."""
    compiled = re.compile(pattern)
    return Rule(
        cel=f"!self.exists(key, key.matches('{_in_cel(pattern)}'))",
        message=message,
        field="",
        holds=lambda self: not any(compiled.search(key) for key in self),
    )


def above_zero(field: str) -> Rule:
    """The rule that an amount, where it is given, is more than nothing; ``field`` is its JSON name."""
    return Rule(
        # Of what the pattern lets pass, only zero has no other digit.
        cel=f"!has(self.{field}) || self.{field}.matches('[1-9]')",
        message=f"{field} must be more than 0",
        field=field,
        holds=lambda self: not _is_zero(getattr(self, self.attribute_of(field))),
    )


def _is_zero(amount: str | None) -> bool:
    return amount is not None and not re.search("[1-9]", amount)


def _in_cel(pattern: str) -> str:
    return pattern.replace("\\", "\\\\")


def _without_nulls(value: Any) -> Any:
    # An entry that is null is unset, as everywhere in the manifest.
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if item is not None}


_A_LABEL: Final = keys_match(
    QUALIFIED_NAME, "a label is named NAME or DOMAIN/NAME, as in example.com/team, in 253 characters at most"
)
_AN_ANNOTATION: Final = keys_match(
    QUALIFIED_NAME,
    "an annotation is named NAME or DOMAIN/NAME, as in example.com/note, in 253 characters at most",
)
_A_RESOURCE: Final = keys_match(
    rf"^(cpu|memory|ephemeral-storage|{_SUBDOMAIN}/{_NAME})$",
    "a resource is cpu, memory, ephemeral-storage, or a device's, as in nvidia.com/gpu",
)
_NOT_OUR_LABELS: Final = no_key_matches(
    r"^(app\.kubernetes\.io|ragfleet\.dev)/",
    "labels of app.kubernetes.io and ragfleet.dev are the operator's own: take them away",
)
_NOT_OUR_ANNOTATIONS: Final = no_key_matches(
    r"^ragfleet\.dev/", "annotations of ragfleet.dev are the operator's own: take them away"
)
_NO_PRIVILEGE: Final = no_key_matches(
    r"^[a-z.]+\.security\.(alpha|beta)\.kubernetes\.io/",
    "annotations of AppArmor and seccomp would loosen what confines the pods: take them away",
)

_NullsDropped = BeforeValidator(_without_nulls)
_LabelMap = Annotated[dict[str, LabelValue], Field(max_length=32)]
_AnnotationMap = Annotated[dict[str, _AnnotationValue], Field(max_length=32)]
# What others' objects are selected by.
Selection = Annotated[_LabelMap, RuledBy(_A_LABEL), _NullsDropped]
# What is put on objects that are made.
Labels = Annotated[_LabelMap, RuledBy(_A_LABEL, _NOT_OUR_LABELS), _NullsDropped]
Annotations = Annotated[_AnnotationMap, RuledBy(_AN_ANNOTATION, _NOT_OUR_ANNOTATIONS), _NullsDropped]
PodAnnotations = Annotated[
    _AnnotationMap, RuledBy(_AN_ANNOTATION, _NOT_OUR_ANNOTATIONS, _NO_PRIVILEGE), _NullsDropped
]
Amounts = Annotated[dict[str, Quantity], Field(max_length=16), RuledBy(_A_RESOURCE), _NullsDropped]
