"""The specification of a RAGPipeline, version v1alpha1.

A field is declared here only when something honours it. Optional fields have no schema default:
``ragfleet_api.config`` resolves them in memory, so that a stored object holds only what its author wrote.
"""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule

DEFAULT_MAX_TOKENS = 256
DEFAULT_OVERLAP_TOKENS = 32

ChunkingStrategy = Literal["Adaptive", "Sentence", "Heading", "Section", "Syntax"]
Language = Literal[
    "Arabic",
    "Danish",
    "Dutch",
    "English",
    "Finnish",
    "French",
    "German",
    "Greek",
    "Hungarian",
    "Italian",
    "Norwegian",
    "Portuguese",
    "Romanian",
    "Russian",
    "Spanish",
    "Swedish",
    "Turkish",
]
RetrievalMode = Literal["Sparse"]
LongQueryPolicy = Literal["Reject", "Truncate"]

CollectionName = Annotated[
    str, Field(min_length=1, max_length=128, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")
]


class VectorStore(ApiModel):
    """Where chunks are indexed and documents are kept."""

    type: Literal["Embedded"] = Field(
        description="The engine. Embedded runs inside the service and keeps its data on local disk."
    )
    collection: CollectionName | None = Field(
        default=None,
        description="Name of the collection. Default: <namespace>-<name>-<fingerprint of the index>.",
    )
    adopt: bool | None = Field(
        default=None,
        description=(
            "Take over a collection that another pipeline owns. Default: false, such a collection is refused."
        ),
    )


class Chunking(ApiModel):
    """How documents are cut into the passages that are searched and cited."""

    strategy: ChunkingStrategy | None = Field(
        default=None,
        description=(
            "Adaptive (default) chooses by the kind of each document: prose by sentence, Markdown and HTML "
            "by heading, numbered legal text by section, code by syntax, tables by row. The others fix one "
            "for all."
        ),
    )
    max_tokens: Annotated[int, Field(ge=16, le=8192)] | None = Field(
        default=None, description=f"Most tokens in one chunk. Default: {DEFAULT_MAX_TOKENS}."
    )
    overlap_tokens: Annotated[int, Field(ge=0, le=4096)] | None = Field(
        default=None,
        description=(
            "Most tokens that neighbouring chunks of prose share. "
            f"Default: {DEFAULT_OVERLAP_TOKENS}, or an eighth of maxTokens if that is less."
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=(
                "!has(self.overlapTokens) || "
                f"self.overlapTokens < (has(self.maxTokens) ? self.maxTokens : {DEFAULT_MAX_TOKENS})"
            ),
            message=f"overlapTokens must be less than maxTokens (default {DEFAULT_MAX_TOKENS})",
            field="overlapTokens",
            holds=lambda self: (
                self.overlap_tokens is None or self.overlap_tokens < (self.max_tokens or DEFAULT_MAX_TOKENS)
            ),
        ),
    )


class BM25(ApiModel):
    """Settings of the sparse encoder. A change needs a new index."""

    language: Language | None = Field(
        default=None, description="Language of stop words and stemming. Default: English."
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

    mode: RetrievalMode | None = Field(default=None, description="Sparse (default) ranks by BM25.")
    top_k: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="Passages that an answer is made from. Default: 8."
    )
    bm25: BM25 | None = Field(default=None, description="Settings of the BM25 encoder.")
    query: Query | None = Field(default=None, description="Limits of a question.")


class Extractive(ApiModel):
    """Settings of the extractive generator."""

    max_sentences: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="Most sentences in an answer. Default: 3."
    )


class Generation(ApiModel):
    """How answers are made from the passages found."""

    type: Literal["Extractive"] = Field(
        description="Extractive answers with the best sentences of the documents, word for word, each cited."
    )
    extractive: Extractive | None = Field(default=None, description="Settings of the extractive generator.")
    no_answer: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="The answer when nothing relevant is found."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=r"!has(self.noAnswer) || !self.noAnswer.matches('\\[[0-9]+\\]')",
            message="noAnswer must not contain a number in square brackets, which would read as a citation",
            field="noAnswer",
            holds=lambda self: self.no_answer is None or not re.search(r"\[[0-9]+\]", self.no_answer),
        ),
    )


class Ingestion(ApiModel):
    """Limits of what is taken in."""

    max_request_megabytes: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        default=None, description="Largest request body, in MiB; a larger one is answered 413. Default: 64."
    )
    parse_timeout_seconds: Annotated[int, Field(ge=1, le=600)] | None = Field(
        default=None, description="Longest time for parsing and chunking one document. Default: 30."
    )
    parse_memory_megabytes: Annotated[int, Field(ge=128, le=16384)] | None = Field(
        default=None, description="Most memory for parsing one document, in MiB. Default: 1024."
    )


class Auth(ApiModel):
    """Who may call the service."""

    required: bool | None = Field(
        default=None, description="Whether callers must present an API key. Default: true."
    )


class RAGPipelineSpec(ApiModel):
    """What a pipeline should be."""

    vector_store: VectorStore = Field(description="Where chunks are indexed and documents are kept.")
    chunking: Chunking | None = Field(default=None, description="How documents are cut into passages.")
    retrieval: Retrieval | None = Field(default=None, description="How passages are found.")
    generation: Generation = Field(description="How answers are made from the passages found.")
    ingestion: Ingestion | None = Field(default=None, description="Limits of what is taken in.")
    auth: Auth | None = Field(default=None, description="Who may call the service.")
    replicas: Annotated[int, Field(ge=0, le=1000)] | None = Field(
        default=None, description="Copies of the service. Default: 1."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="self.vectorStore.type != 'Embedded' || !has(self.replicas) || self.replicas <= 1",
            message="replicas must be 0 or 1 with the Embedded engine: its data belongs to one process",
            field="replicas",
            holds=lambda self: (
                self.vector_store.type != "Embedded" or self.replicas is None or self.replicas <= 1
            ),
        ),
        Rule(
            cel="has(self.auth) && has(self.auth.required) && !self.auth.required",
            message=(
                "auth.required must be set to false: API keys are required by default and not available yet"
            ),
            field="auth",
            holds=lambda self: self.auth is not None and self.auth.required is False,
        ),
    )
