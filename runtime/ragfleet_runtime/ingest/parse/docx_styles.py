"""What the styles of a DOCX say of a paragraph: heading, list item, table of contents."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from docx.oxml.ns import qn

_Element = Any  # an lxml element, which has no types
_VALUE = qn("w:val")
_LEVELS = 9
# Built-in styles have these names in every language of the word processor.
_HEADING = re.compile(r"heading ([1-9])\Z", re.IGNORECASE)
_CONTENTS = re.compile(r"toc(?: heading| \d)\Z|table of figures\Z", re.IGNORECASE)
_LIST = re.compile(r"list (?:bullet|number)(?: ([2-5]))?\Z", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ParagraphStyle:
    """heading: 1 to 9, or 0. item_depth: 1 for an item of an outermost list, 0 for none."""

    heading: int = 0
    item_depth: int = 0
    is_contents: bool = False

    def refined(self, properties: _Element) -> ParagraphStyle:
        """With what a paragraph's or style's own properties (w:pPr) say."""
        style = self
        outline = _integer(properties.find(qn("w:outlineLvl")))
        if outline is not None:
            style = replace(style, heading=outline + 1 if outline < _LEVELS else 0)
        numbering = properties.find(qn("w:numPr"))
        if numbering is not None:
            identifier = _integer(numbering.find(qn("w:numId")))
            level = _integer(numbering.find(qn("w:ilvl")))
            depth = max(1, style.item_depth) if level is None else min(level, _LEVELS) + 1
            style = replace(style, item_depth=0 if identifier == 0 else depth)
        return style


def paragraph_styles(styles: _Element) -> dict[str, ParagraphStyle]:
    """Styles by their id, each with what it takes from those that it is based on."""
    elements = {style.get(qn("w:styleId")): style for style in styles.iterchildren(qn("w:style"))}
    return {id_: _resolved(id_, elements) for id_ in elements if id_ is not None}


def _resolved(id_: str, elements: dict[str | None, _Element]) -> ParagraphStyle:
    chain: list[_Element] = []
    following: str | None = id_
    while following in elements and elements[following] not in chain:
        chain.append(elements[following])
        based_on = chain[-1].find(qn("w:basedOn"))
        following = based_on.get(_VALUE) if based_on is not None else None
    style = ParagraphStyle()
    for element in reversed(chain):
        style = _named(style, element)
        properties = element.find(qn("w:pPr"))
        if properties is not None:
            style = style.refined(properties)
    return style


def _named(style: ParagraphStyle, element: _Element) -> ParagraphStyle:
    name_element = element.find(qn("w:name"))
    name = (name_element.get(_VALUE) or "") if name_element is not None else ""
    if name.lower() == "title":
        return replace(style, heading=1)
    if (heading := _HEADING.match(name)) is not None:
        return replace(style, heading=int(heading[1]))
    if (item := _LIST.match(name)) is not None:
        return replace(style, item_depth=int(item[1] or 1))
    if _CONTENTS.match(name) is not None:
        return replace(style, is_contents=True, heading=0)
    return style


def _integer(element: _Element) -> int | None:
    value = element.get(_VALUE) if element is not None else None
    return int(value) if value is not None and value.isascii() and value.isdigit() else None
