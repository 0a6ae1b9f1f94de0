"""The HTTP application."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from ragfleet_runtime.api.auth import describe_keys
from ragfleet_runtime.api.problems import MEDIA_TYPE, add_problem_handlers
from ragfleet_runtime.api.schemas import IngestRequest, ProblemReply, SearchRequest

_PROBLEM_EXAMPLE = {
    "type": "https://ragfleet.dev/problems/invalid-query",
    "title": "The query can't be searched for",
    "status": 422,
    "detail": "the query is empty: send at least one word",
    "instance": "/search",
    "request_id": "5f0c4b1f7a354f5c8f6f1f0e6f1b2a3c",
}


def make_app(name: str, routers: Sequence[APIRouter], *, needs_key: bool = False) -> FastAPI:
    """The application of a pipeline called ``name``; ``needs_key`` says so in its description."""
    app = FastAPI(
        title=f"Ragfleet: {name}",
        version=version("ragfleet"),
        summary="Ingest documents, find passages, get answers with citations.",
        responses={"default": _problem_description()},
    )
    add_problem_handlers(app)
    for router in routers:
        app.include_router(router)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _openapi(app)
            if needs_key:
                describe_keys(app.openapi_schema)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # as FastAPI documents it
    return app


def _problem_description() -> dict[str, Any]:
    return {
        "description": "Problem",
        "content": {
            MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/ProblemReply"},
                "example": _PROBLEM_EXAMPLE,
            }
        },
    }


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's description, with the schemas that its routes refer to by name only."""
    schema = get_openapi(title=app.title, version=app.version, summary=app.summary, routes=app.routes)
    _, extra = models_json_schema(
        [(IngestRequest, "validation"), (SearchRequest, "validation"), (ProblemReply, "serialization")],
        ref_template="#/components/schemas/{model}",
    )
    schema["components"]["schemas"].update(extra["$defs"])
    return schema
