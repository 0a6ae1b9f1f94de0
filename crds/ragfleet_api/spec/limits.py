"""Limits of ingestion and of requests."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from ragfleet_api.base import ApiModel


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


class Requests(ApiModel):
    """Limits of answering a request."""

    deadline_seconds: Annotated[int, Field(ge=1, le=3600)] | None = Field(
        default=None,
        description="Longest time for a search or an answer, all calls to others included. Default: 60.",
    )
