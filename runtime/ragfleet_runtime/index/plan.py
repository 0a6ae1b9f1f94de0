"""A search as the engine is to run it. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from ragfleet_api.config.runtime import FusionConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.index.bm25 import SparseVector
from ragfleet_runtime.index.filters import Condition
from ragfleet_runtime.index.search import SearchRequest


class Plan(NamedTuple):
    """The vectors to rank by: one for that ranking alone, both for their fusion.

    candidates: what each ranking gives to the fusion. A question of stop words alone has no sparse vector.
    """

    sparse: SparseVector | None
    dense: Vector | None
    limit: int
    candidates: int
    fusion: FusionConfig
    condition: Condition | None
    min_score: float | None

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to rank by."""
        return not self.sparse and self.dense is None

    @property
    def is_hybrid(self) -> bool:
        """Whether two rankings are fused."""
        return bool(self.sparse) and self.dense is not None


@dataclass(frozen=True, slots=True)
class Planner:
    """Makes plans by the pipeline's settings."""

    candidates: int
    fusion: FusionConfig

    def plan(self, request: SearchRequest, sparse: SparseVector, dense: Vector | None, limit: int) -> Plan:
        """The plan for a request and its vectors; those that its mode doesn't ask for are left out."""
        return Plan(
            sparse=sparse if request.mode != "dense" else None,
            dense=dense if request.mode != "sparse" else None,
            limit=limit,
            candidates=max(self.candidates, limit),
            fusion=self.fusion,
            condition=request.condition,
            min_score=request.min_score,
        )
