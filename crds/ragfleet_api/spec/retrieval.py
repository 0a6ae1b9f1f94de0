"""How passages are found."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.spec.common import Language

RetrievalMode = Literal["Sparse", "Dense", "Hybrid"]
FusionMethod = Literal["DBSF", "RRF", "Weighted"]
LongQueryPolicy = Literal["Reject", "Truncate"]
EmbeddingFailurePolicy = Literal["Fail", "SearchSparse"]

DEFAULT_TOP_K = 8
DEFAULT_CANDIDATES = 200


class BM25(ApiModel):
    """Settings of the sparse encoder. A change needs a new index."""

    language: Language | None = Field(
        default=None, description="Language of stop words and stemming. Default: English."
    )


class RRF(ApiModel):
    """Reciprocal rank fusion (Cormack et al., SIGIR 2009): a passage's ranks count, not its scores."""

    k: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description="What each rank, counted from 0, is added to: more levels the top ranks. Default: 60.",
    )
    dense_weight: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="Weight of the dense ranking; 0 leaves it out. Default: 1."
    )
    sparse_weight: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="Weight of the ranking by BM25; 0 leaves it out. Default: 1."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "(has(self.denseWeight) ? self.denseWeight : 1) + "
                "(has(self.sparseWeight) ? self.sparseWeight : 1) > 0"
            ),
            message="denseWeight and sparseWeight must not both be 0, or there is nothing to rank by",
            field="denseWeight",
            holds=lambda self: self.dense_weight != 0 or self.sparse_weight != 0,
        ),
    )


class Fusion(ApiModel):
    """How the dense and the sparse ranking become one, inside the engine."""

    method: FusionMethod | None = Field(
        default=None,
        description=(
            "DBSF (default) adds scores scaled by each ranking's mean and deviation; RRF adds reciprocal "
            "ranks; Weighted adds scores scaled by each ranking's best, by alphaPercent."
        ),
    )
    rrf: RRF | None = Field(default=None, description="Settings of RRF.")
    alpha_percent: Annotated[int, Field(ge=0, le=100)] | None = Field(
        default=None, description="Share of the dense score in a Weighted one, in percent. Default: 50."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.rrf) || (has(self.method) && self.method == 'RRF')",
            message="rrf is for method RRF only",
            field="rrf",
            holds=lambda self: self.rrf is None or self.method == "RRF",
        ),
        Rule(
            cel="!has(self.alphaPercent) || (has(self.method) && self.method == 'Weighted')",
            message="alphaPercent is for method Weighted only",
            field="alphaPercent",
            holds=lambda self: self.alpha_percent is None or self.method == "Weighted",
        ),
    )


class Query(ApiModel):
    """Limits of a question."""

    max_characters: Annotated[int, Field(ge=16, le=1_000_000)] | None = Field(
        default=None, description="Longest question, in characters. Default: 8192."
    )
    too_long: LongQueryPolicy | None = Field(
        default=None,
        description=(
            "What happens to a longer question: Reject (default) answers 422; Truncate cuts it at a word."
        ),
    )


class Retrieval(ApiModel):
    """How passages are found."""

    mode: RetrievalMode | None = Field(
        default=None,
        description=(
            "Sparse ranks by BM25, Dense by the embedding model, Hybrid fuses both. Default: Hybrid with an "
            "embedding, Sparse without. A search may ask for another."
        ),
    )
    top_k: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description=f"Passages that an answer is made from. Default: {DEFAULT_TOP_K}."
    )
    candidates: Annotated[int, Field(ge=1, le=1000)] | None = Field(
        default=None,
        description=(
            f"Passages that each ranking gives to the fusion, at least topK. Default: {DEFAULT_CANDIDATES}."
        ),
    )
    fusion: Fusion | None = Field(default=None, description="How the rankings become one.")
    when_embedding_fails: EmbeddingFailurePolicy | None = Field(
        default=None,
        description=(
            "What a hybrid search does while the embedding model gives no vector: Fail (default) answers "
            "503; SearchSparse goes on with BM25 alone, and the reply says so in degraded."
        ),
    )
    bm25: BM25 | None = Field(default=None, description="Settings of the BM25 encoder.")
    query: Query | None = Field(default=None, description="Limits of a question.")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                f"(has(self.candidates) ? self.candidates : {DEFAULT_CANDIDATES}) >= "
                f"(has(self.topK) ? self.topK : {DEFAULT_TOP_K})"
            ),
            message=f"candidates must be at least topK (default {DEFAULT_TOP_K})",
            field="candidates",
            holds=lambda self: (self.candidates or DEFAULT_CANDIDATES) >= (self.top_k or DEFAULT_TOP_K),
        ),
    )
