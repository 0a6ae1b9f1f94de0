"""HTML: the page's content as Markdown, without its navigation, scripts and other furniture."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from selectolax.lexbor import LexborHTMLParser, LexborNode

from ragfleet_runtime.ingest.model import Kind, Parsed
from ragfleet_runtime.ingest.parse.dates import utc_from_iso
from ragfleet_runtime.ingest.parse.dom import children, descendants, parse_tree, text_of
from ragfleet_runtime.ingest.parse.html_table import table_lines
from ragfleet_runtime.ingest.parse.markdown_writer import MarkdownWriter
from ragfleet_runtime.ingest.parse.rows import one_line

# fmt: off
_DROPPED = frozenset((
    "audio", "button", "canvas", "embed", "head", "iframe", "input", "map", "nav", "noscript", "object",
    "script", "select", "style", "svg", "template", "textarea", "video",
))
_BLOCKS = frozenset((
    "address", "article", "aside", "blockquote", "body", "caption", "center", "dd", "details", "dialog",
    "div", "dl", "dt", "fieldset", "figcaption", "figure", "footer", "form", "header", "hgroup", "hr",
    "html", "legend", "li", "main", "menu", "ol", "p", "section", "summary", "table", "tbody", "td", "tfoot",
    "th", "thead", "tr", "ul",
))
# fmt: on
_DROPPED_ROLES = frozenset(("navigation", "search", "banner", "contentinfo", "menu", "menubar"))
_CONTENT = frozenset(("article", "main", "section"))
_FURNITURE = frozenset(("header", "footer", "aside"))  # of the page, unless they stand in its content
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_ITEMS = ("li", "dd")
_INVISIBLE = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.IGNORECASE)
_META_CHARSET = re.compile(rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{2,40})", re.IGNORECASE)
_META_WITHIN = 1024
_LANGUAGE_CLASS = re.compile(r"(?:^|\s)(?:language|lang|highlight-source)-([\w+#-]{1,30})")
_META_NAMES = {
    "author": "author",
    "article:published_time": "created_at",
    "date": "created_at",
    "article:modified_time": "modified_at",
    "last-modified": "modified_at",
}


def declared_charset(data: bytes) -> str | None:
    """The encoding that a page's ``<meta>`` names in its first 1,024 bytes."""
    found = _META_CHARSET.search(data[:_META_WITHIN])
    return found[1].decode("ascii", "ignore") if found is not None else None


def parse_html(html: str) -> Parsed:
    """A page as Markdown. The title is ``<title>``, or the first ``<h1>``."""
    tree = parse_tree(html)
    writer = MarkdownWriter()
    if tree.body is not None:
        _write(tree.body, writer)
    first = tree.css_first("title")
    title = one_line(text_of(first)) if first is not None else ""
    if not title:
        first = tree.css_first("h1")
        title = one_line(text_of(first)) if first is not None else ""
    return Parsed(writer.text(), Kind.MARKDOWN, title or None, _metadata(tree))


def _write(body: LexborNode, writer: MarkdownWriter) -> None:
    """Walk the tree with a stack of its own."""
    stack: list[tuple[str, Iterator[LexborNode]]] = [("body", children(body))]
    in_content = 0
    while stack:
        tag, rest = stack[-1]
        node = next(rest, None)
        if node is None:
            stack.pop()
            _leave(tag, writer)
            in_content -= tag in _CONTENT
        elif node.is_text_node:
            writer.write(node.text_content or "")
        elif node.is_element_node and not _is_dropped(node, in_content > 0, writer):
            tag = node.tag or ""
            if not _write_whole(node, tag, writer):
                _enter(tag, writer)
                in_content += tag in _CONTENT
                stack.append((tag, children(node)))


def _enter(tag: str, writer: MarkdownWriter) -> None:
    if tag in _HEADINGS:
        writer.begin_heading(_HEADINGS[tag])
    elif tag in _ITEMS:
        writer.begin_item()
    elif tag in _BLOCKS:
        writer.end_block()
    elif tag == "br":
        writer.break_line()


def _leave(tag: str, writer: MarkdownWriter) -> None:
    if tag in _ITEMS:
        writer.end_item()
    elif tag in _HEADINGS or tag in _BLOCKS:
        writer.end_block()


def _write_whole(node: LexborNode, tag: str, writer: MarkdownWriter) -> bool:
    """Write an element whose content isn't walked: preformatted text, or a table of data."""
    if tag == "pre":
        writer.write_code(_preformatted(node), _code_language(node))
        return True
    if tag == "table" and (lines := table_lines(node)) is not None:
        caption, rows = lines
        writer.write_lines(caption, rows)
        return True
    return False


def _preformatted(pre: LexborNode) -> str:
    return "".join(
        "\n" if node.tag == "br" else (node.text_content or "") if node.is_text_node else ""
        for node in descendants(pre)
    )


def _code_language(pre: LexborNode) -> str:
    for node in (pre, *(child for child in children(pre) if child.tag == "code")):
        found = _LANGUAGE_CLASS.search(node.attributes.get("class") or "")
        if found is not None:
            return found[1]
    return ""


def _is_dropped(node: LexborNode, in_content: bool, writer: MarkdownWriter) -> bool:
    tag = node.tag
    if tag in _DROPPED:
        return True
    attributes = node.attributes
    if attributes and _is_hidden(attributes):
        return True
    is_furniture = tag in _FURNITURE or attributes.get("role") in _DROPPED_ROLES
    if not is_furniture or (in_content and tag in _FURNITURE):
        return False
    for heading in descendants(node):
        if heading.tag == "h1":  # pages put the title of their content into their header
            writer.begin_heading(1)
            writer.write(text_of(heading))
            writer.end_block()
    return True


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or _INVISIBLE.search(attributes.get("style") or "") is not None
    )


def _metadata(tree: LexborHTMLParser) -> dict[str, Any]:
    metadata: dict[str, Any] = {}
    for meta in tree.css("meta"):
        attributes = meta.attributes
        name = _META_NAMES.get((attributes.get("name") or attributes.get("property") or "").lower())
        content = one_line(attributes.get("content") or "")
        value = content if name == "author" else utc_from_iso(content)
        if name is not None and value and name not in metadata:
            metadata[name] = value
    return metadata
