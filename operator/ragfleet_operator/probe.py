"""Asks whether a source can be watched at the moment."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import aiohttp
import orjson

from ragfleet_operator.engine.answers import refusal
from ragfleet_operator.engine.errors import NotFound, Unavailable
from ragfleet_operator.sources import Source

_SECONDS = 15.0
_NAMES_ONLY = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"


async def probe(session: aiohttp.ClientSession, server: str, source: Source) -> None:
    """Return where a source is there and may be listed. Raises ApiError: NotFound, Forbidden, Unavailable."""
    params = {"limit": "1"}
    if source.selector:
        params["labelSelector"] = source.selector
    await _get(session, server + source.path, params, _NAMES_ONLY)
    # A kind that was just made known is served some moments before kopf can find it here.
    kind = source.kind
    root = f"/apis/{kind.group}/{kind.version}" if kind.group else f"/api/{kind.version}"
    known = await _get(session, server + root, {}, "application/json")
    if not any(resource.get("name") == kind.plural for resource in known.get("resources") or ()):
        raise NotFound(f"the API server doesn't list {kind.plural} yet")


async def _get(
    session: aiohttp.ClientSession, url: str, params: Mapping[str, str], accept: str
) -> Mapping[str, Any]:
    try:
        async with session.get(
            url, params=params, headers={"Accept": accept}, timeout=aiohttp.ClientTimeout(total=_SECONDS)
        ) as answer:
            text = await answer.read()
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise Unavailable(f"can't reach the API server ({type(error).__name__})") from None
    try:
        body = orjson.loads(text)
    except ValueError:
        body = {}
    if answer.status != HTTPStatus.OK or not isinstance(body, dict):
        told = body if isinstance(body, dict) else {}
        raise refusal(answer.status, told, answer.headers.get("Retry-After"))
    return body
