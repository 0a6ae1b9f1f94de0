"""The values of YAML scalars, by the YAML 1.1 rules that kubectl follows."""

from __future__ import annotations

from typing import Any, Final

import yaml
from yaml.constructor import SafeConstructor
from yaml.resolver import Resolver

TAG_PREFIX: Final = "tag:yaml.org,2002:"
# A date is text to the API server, and "=" is a tag of YAML 1.1 that nothing uses.
STRING_TAGS: Final = frozenset(TAG_PREFIX + name for name in ("str", "timestamp", "value"))

_NULL: Final = f"{TAG_PREFIX}null"
_BOOL: Final = f"{TAG_PREFIX}bool"
_INT: Final = f"{TAG_PREFIX}int"
_FLOAT: Final = f"{TAG_PREFIX}float"


def plain_scalar(text: str) -> Any:
    """The value of an unquoted scalar: ``5``, ``true``, ``null``, or the text itself."""
    resolver: Any = Resolver()
    return scalar_value(yaml.ScalarNode(resolver.resolve(yaml.ScalarNode, text, (True, False)), text))


def scalar_value(node: yaml.ScalarNode) -> Any:
    """The value of a scalar node.

    Raises LookupError for a tag that has no JSON type, ValueError for a text that its tag cannot have.
    """
    text: str = node.value
    # YAML 1.1 reads 1:30 as the number 90, which nobody means; kubectl's parser does not do it either.
    if node.tag in STRING_TAGS or (node.tag in (_INT, _FLOAT) and ":" in text):
        return text
    if node.tag == _NULL:
        return None
    if node.tag == _BOOL:
        if text.lower() not in SafeConstructor.bool_values:
            raise ValueError(text)
        return SafeConstructor.bool_values[text.lower()]
    if node.tag == _INT:
        return SafeConstructor().construct_yaml_int(node)
    if node.tag == _FLOAT:
        return SafeConstructor().construct_yaml_float(node)
    raise LookupError(node.tag)
