"""The revision that people pinned.

The annotation is ``<id>@<generation>`` and holds while ``metadata.generation`` is that one, so that the next
edit of the spec ends it without a write of anybody's; or ``<id>``, which holds until it is taken away.
"""

from __future__ import annotations

from ragfleet_operator.model import Pipeline
from ragfleet_operator.names import PIN_ANNOTATION


def pinned(pipeline: Pipeline) -> str:
    """The id that is pinned, which may be of nothing that is kept; "" where none is, or it holds no more."""
    return pin_of(pipeline).partition("@")[0]


def pin_of(pipeline: Pipeline) -> str:
    """The annotation as people wrote it, "" where it doesn't hold."""
    text = pipeline.annotations.get(PIN_ANNOTATION, "").strip()
    revision, at, generation = text.partition("@")
    holds = bool(revision) and (not at or generation == str(pipeline.generation))
    return text if holds else ""
