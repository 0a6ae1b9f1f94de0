"""What a search asks for."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ragfleet_runtime.index.filters import Condition

Mode = Literal["sparse", "dense", "hybrid"]


class SearchRequest(NamedTuple):
    """A search as its caller asks for it.

    top_k: passages wanted, or documents where ``group_by_document``, each shown by its best passage.
    min_score: passages that score less are left out.
    """

    question: str
    mode: Mode
    top_k: int
    condition: Condition | None = None
    min_score: float | None = None
    group_by_document: bool = False

    @property
    def is_dense(self) -> bool:
        """Whether the question's dense vector is needed."""
        return self.mode != "sparse"

    @property
    def is_sparse(self) -> bool:
        """Whether the question's terms are needed."""
        return self.mode != "dense"
