"""Reading an HTML tree without recursion: pages nest as deep as their author likes."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

# HTML's rules make the parser look through all open elements at each start tag: time grows with their square.
# Browsers stop nesting at 512 too.
_MOST_DEPTH = 512
_CONTAINER = re.compile(
    r"<(/?)(?:(div|section|article|blockquote|center)|span|font|b|i|em|strong|u|small|a)\b[^>]*>",
    re.IGNORECASE,
)


def parse_tree(html: str) -> LexborHTMLParser:
    """The tree of a page; containers nested deeper than 512 are left out, their content is kept."""
    return LexborHTMLParser(_flattened(html))


def children(node: LexborNode) -> Iterator[LexborNode]:
    """Elements and texts directly in a node, in order."""
    child = node.first_child
    while child is not None:
        yield child
        child = child.next


def descendants(node: LexborNode) -> Iterator[LexborNode]:
    """Elements and texts in a node at any depth, in document order."""
    stack = [iter(children(node))]
    while stack:
        child = next(stack[-1], None)
        if child is None:
            stack.pop()
        else:
            yield child
            stack.append(iter(children(child)))


def text_of(node: LexborNode) -> str:
    """All text in a node, as it stands in the source."""
    return "".join(child.text_content or "" for child in descendants(node) if child.is_text_node)


def _flattened(html: str) -> str:
    depths = [0, 0]  # of blocks, of inline elements: an unclosed <font> is no reason to drop a <div>

    def keep(tag: re.Match[str]) -> str:
        which = 0 if tag[2] else 1
        if tag[1]:
            deep = depths[which] > _MOST_DEPTH
            depths[which] = max(0, depths[which] - 1)
        else:
            depths[which] += 1
            deep = depths[which] > _MOST_DEPTH
        return "" if deep else tag[0]

    return _CONTAINER.sub(keep, html)
