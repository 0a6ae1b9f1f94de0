"""The work of ``ragfleet ask`` and ``ragfleet search``."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from ragfleet_cli.arguments import filters_from, text_from
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.output import emit, emit_json, note, one_line

SNIPPET = 240


def run_ask(question: str, url: str, top_k: int | None, filters: Sequence[str], *, as_json: bool) -> None:
    """Ask, and print the answer. Raises CliError."""
    body: dict[str, Any] = {"query": text_from(question, "QUESTION")}
    if top_k is not None:
        body["top_k"] = top_k
    if filters:
        body["filters"] = filters_from(filters)
    answer = asyncio.run(_query(url, body))
    if as_json:
        emit_json(answer)
        return
    for reason in answer.get("degraded") or ():
        note(f"ragfleet: degraded: {reason}")
    for line in answer_lines(answer):
        emit(line)


def run_search(
    query: str, url: str, top_k: int, filters: Sequence[str], *, group: bool, as_json: bool
) -> None:
    """Search, and print the results. Raises CliError."""
    body: dict[str, Any] = {
        "query": text_from(query, "QUERY"),
        "top_k": top_k,
        "group_by_document": group,
    }
    if filters:
        body["filters"] = filters_from(filters)
    answer = asyncio.run(_search(url, body))
    if as_json:
        emit_json(answer)
        return
    for line in result_lines(answer):
        emit(line)


def answer_lines(answer: Mapping[str, Any]) -> list[str]:
    """The answer, the sources that it cites, and how sure it is, as lines."""
    cited = {citation["n"] for citation in answer["citations"]}
    sources = [source for source in answer["sources"] if source["n"] in cited]
    lines = [answer["answer"], ""]
    if sources:
        lines += ["Sources", *(f"  [{source['n']}] {_source(source)}" for source in sources), ""]
    return [*lines, f"Confidence {answer['confidence']:.2f}"]


def result_lines(answer: Mapping[str, Any]) -> list[str]:
    """The results, best first, each with the beginning of its passage."""
    lines: list[str] = []
    for rank, result in enumerate(answer["results"], start=1):
        lines += [
            f"{rank}. {_source(result)}, score {result['score']:.3f}",
            f"   {one_line(result['text'], SNIPPET)}",
        ]
    return lines or ["No passages found."]


def _source(source: Mapping[str, Any]) -> str:
    """Title, document id, and where in the document: its headings and the span in characters."""
    id_ = source["document_id"]
    title = one_line(source.get("title") or "", 100)
    name = f"{title} ({id_})" if title and title != id_ else id_
    headings = (source.get("metadata") or {}).get("headings")
    place = f"characters {source['start']}-{source['end']}"
    if isinstance(headings, list) and headings:
        place = f"{' > '.join(one_line(str(heading), 100) for heading in headings)}, {place}"
    return f"{name}: {place}"


async def _query(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    async with ServiceClient(url) as client:
        return await client.query(body)


async def _search(url: str, body: Mapping[str, Any]) -> dict[str, Any]:
    async with ServiceClient(url) as client:
        return await client.search(body)
