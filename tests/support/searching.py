"""Short ways to search a collection in tests."""

from __future__ import annotations

from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.collection import Collection
from ragfleet_runtime.index.engine import Hit
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.search import Mode, SearchRequest


async def search(
    collection: Collection,
    question: str,
    top_k: int,
    condition: Condition | None = None,
    *,
    mode: Mode = "sparse",
    vector: Vector | None = None,
) -> list[Hit]:
    """The best passages."""
    return await collection.reader.search(SearchRequest(question, mode, top_k, condition), vector)
