"""The work of ``ragfleet ask`` and ``ragfleet search``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any

from ragfleet_cli.access import Target
from ragfleet_cli.arguments import filters_from, text_from
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.errors import CliError
from ragfleet_cli.events import Event
from ragfleet_cli.output import emit, emit_json, emit_part, note, one_line

SNIPPET = 240


def run_ask(
    question: str, target: Target, top_k: int | None, filters: Sequence[str], *, as_json: bool, stream: bool
) -> None:
    """Ask, and print the answer; as it comes, where it is a stream. Raises CliError."""
    body: dict[str, Any] = {"query": text_from(question, "QUESTION")}
    if top_k is not None:
        body["top_k"] = top_k
    if filters:
        body["filters"] = filters_from(filters)
    if stream:
        asyncio.run(_print_stream(target, body))
        return
    answer = asyncio.run(_query(target, body))
    if as_json:
        emit_json(answer)
        return
    _note_degraded(answer)
    for line in answer_lines(answer):
        emit(line)


def run_search(
    query: str,
    target: Target,
    top_k: int,
    filters: Sequence[str],
    *,
    mode: str | None,
    group: bool,
    as_json: bool,
) -> None:
    """Search, and print the results. Raises CliError."""
    body: dict[str, Any] = {
        "query": text_from(query, "QUERY"),
        "top_k": top_k,
        "group_by_document": group,
    }
    if mode is not None:
        body["mode"] = mode
    if filters:
        body["filters"] = filters_from(filters)
    answer = asyncio.run(_search(target, body))
    if as_json:
        emit_json(answer)
        return
    _note_degraded(answer)
    for line in result_lines(answer):
        emit(line)


def answer_lines(answer: Mapping[str, Any]) -> list[str]:
    """The answer, the sources that it cites, and how sure it is, as lines."""
    return [answer["answer"], *_closing_lines(answer["sources"], answer)]


def _closing_lines(sources: Sequence[Mapping[str, Any]], rest: Mapping[str, Any]) -> list[str]:
    cited = {citation["n"] for citation in rest["citations"]}
    shown = [f"  [{source['n']}] {_source(source)}" for source in sources if source["n"] in cited]
    found = ["Sources", *shown, ""] if shown else []
    return ["", *found, f"Confidence {rest['confidence']:.2f}"]


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


def _note_degraded(answer: Mapping[str, Any]) -> None:
    for reason in answer.get("degraded") or ():
        note(f"ragfleet: degraded: {reason}")


async def _query(target: Target, body: Mapping[str, Any]) -> dict[str, Any]:
    async with ServiceClient(target.url, api_key=target.api_key) as client:
        return await client.query(body)


async def _search(target: Target, body: Mapping[str, Any]) -> dict[str, Any]:
    async with ServiceClient(target.url, api_key=target.api_key) as client:
        return await client.search(body)


async def _print_stream(target: Target, body: Mapping[str, Any]) -> None:
    """Print the answer's text as it comes, then the rest. Raises CliError where it breaks off."""
    async with (
        ServiceClient(target.url, api_key=target.api_key) as client,
        aclosing(client.query_stream(body)) as events,
    ):
        sources, last = await _print_text(events)
    if last is None:
        raise CliError("the connection ended before the answer did; ask again")
    if last.name == "error":
        raise CliError(f"the answer broke off: {one_line(_reason(last.data), 500)}")
    last.objects("citations")
    _note_degraded(last.data)
    for line in _closing_lines(sources, last.data):
        emit(line)


async def _print_text(events: AsyncIterator[Event]) -> tuple[list[dict[str, Any]], Event | None]:
    """The sources, and the event after the text, if there is one."""
    sources: list[dict[str, Any]] = []
    has_begun = False
    try:
        async for event in events:
            if event.name == "sources":
                sources = event.objects("sources")
            elif event.name == "content":
                emit_part(event.text("content"))
                has_begun = True
            elif event.name in ("done", "error"):
                return sources, event
        return sources, None
    finally:
        if has_begun:
            emit()  # whatever comes next starts on a line of its own


def _reason(problem: Mapping[str, Any]) -> str:
    return str(problem.get("detail") or problem.get("title") or "the service didn't say why")
