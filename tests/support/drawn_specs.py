"""Specifications drawn from the schema of the API, all of them valid."""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from ipaddress import ip_network
from typing import Any, Final

from hypothesis import strategies as st
from pydantic import ValidationError

from ragfleet_api.schema import structural_schema
from ragfleet_api.spec import RAGPipelineSpec
from support.case import MINIMAL
from support.sections import Json, around, leaves, put, valid_values

_LEAVES: Final = dict(leaves(structural_schema(RAGPipelineSpec)))
# By section, so that one of few fields is drawn as often as one of many.
_FIELDS: Final = st.one_of(
    *(
        st.sampled_from([path for path in _LEAVES if re.split(r"[.\[]", path)[0] == section])
        for section in RAGPipelineSpec.model_json_schema(by_alias=True)["properties"]
    )
)
_MOST_FIELDS: Final = 14


@st.composite
def drawn_specs(draw: Callable[[st.SearchStrategy[Any]], Any]) -> Json:
    """The smallest spec with some fields set, each with what it needs around it.

    A field that doesn't go together with those before it, or a value that is refused, is left out.
    """
    spec: Json = copy.deepcopy(MINIMAL["spec"])
    for path in draw(st.lists(_FIELDS, max_size=_MOST_FIELDS, unique=True)):
        value = draw(_values(path))
        candidate = _with(spec, around(path, value))
        if candidate is not None:
            spec = candidate
    return spec


def _with(spec: Json, settings: Json) -> Json | None:
    """The spec with settings by path, where that is valid."""
    candidate = copy.deepcopy(spec)
    try:
        for path, value in settings.items():
            put(candidate, path, value)
        RAGPipelineSpec.model_validate(candidate, by_name=False)
    except (ValidationError, TypeError, LookupError):
        return None
    return candidate


def _amounts() -> st.SearchStrategy[str]:
    # The pattern takes more digits than Kubernetes keeps.
    return st.builds("{}{}".format, st.integers(1, 10_000), st.sampled_from(["", "k", "M", "Gi"]))


def _networks() -> st.SearchStrategy[str]:
    # The pattern takes numbers that are no addresses, and bits beyond the prefix.
    return st.builds(
        lambda address, length: str(ip_network((address, length), strict=False)),
        st.ip_addresses(v=4),
        st.integers(0, 32),
    )


def _values(path: str) -> st.SearchStrategy[Any]:
    node = _LEAVES[path]
    known = st.sampled_from(valid_values(path, node))
    if path.endswith(".cidr"):
        return _networks()
    if path.endswith((".size", ".averageValue")):
        return _amounts()
    if "enum" in node or node["type"] not in ("integer", "string"):
        return known
    if node["type"] == "integer":
        return st.integers(node["minimum"], node.get("maximum", 2**31 - 1))
    if "pattern" not in node:
        return st.text(min_size=node.get("minLength", 0), max_size=min(node.get("maxLength", 40), 40))
    # One of the known where the pattern's is refused.
    return known | st.from_regex(re.compile(node["pattern"], re.ASCII), fullmatch=True)
