from __future__ import annotations

import json
from typing import Any

import pytest

from ragfleet_cli.main import main
from support.fake_service import FakeService

Captured = pytest.CaptureFixture[str]


def source(n: int, id_: str, title: str | None, **metadata: Any) -> dict[str, Any]:
    return {
        "n": n,
        "document_id": id_,
        "title": title,
        "text": "text",
        "score": 1.5,
        "metadata": metadata,
        "start": 10 * n,
        "end": 10 * n + 5,
    }


ANSWER = {
    "answer": "Restore it with cairn restore. [1] Keep keys apart. [3]",
    "sources": [
        source(1, "guides/backup.md", "Backups", headings=["Restore", "From a\nsnapshot"]),
        source(2, "other.md", "Other"),
        source(3, "keys.txt", None, headings="not a list"),
    ],
    "citations": [
        {"n": 1, "answer_start": 0, "answer_end": 30},
        {"n": 3, "answer_start": 35, "answer_end": 51},
    ],
    "confidence": 0.8217,
    "degraded": [],
}


def test_ask_prints_the_answer_and_the_sources_it_cites(
    url: str, service: FakeService, capsys: Captured
) -> None:
    service.answer = ANSWER
    assert main(["ask", "how?", "--url", url]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "Restore it with cairn restore. [1] Keep keys apart. [3]",
        "",
        "Sources",
        "  [1] Backups (guides/backup.md): Restore > From a snapshot, characters 10-15",
        "  [3] keys.txt: characters 30-35",
        "",
        "Confidence 0.82",
    ]
    assert err == ""
    assert service.requests == [("POST", "/query", {"query": "how?"})]


def test_ask_passes_top_k_and_filters(url: str, service: FakeService) -> None:
    service.answer = ANSWER
    arguments = ["--top-k", "4", "--filter", "team=a", "--filter", "year=2024", "--filter", "year=2025"]
    assert main(["ask", "how?", "--url", url, *arguments]) == 0
    ((_, _, body),) = service.requests
    assert body == {"query": "how?", "top_k": 4, "filters": {"team": "a", "year": [2024, 2025]}}


def test_ask_prints_json_alone(url: str, service: FakeService, capsys: Captured) -> None:
    service.answer = ANSWER
    assert main(["ask", "how?", "--url", url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out) == ANSWER
    assert err == ""


def test_an_answer_without_citations_names_no_sources(
    url: str, service: FakeService, capsys: Captured
) -> None:
    service.answer = {**ANSWER, "answer": "I can't find that.", "citations": [], "confidence": 0.0}
    assert main(["ask", "how?", "--url", url]) == 0
    assert capsys.readouterr().out == "I can't find that.\n\nConfidence 0.00\n"


def test_a_degraded_answer_says_so(url: str, service: FakeService, capsys: Captured) -> None:
    service.answer = {**ANSWER, "degraded": ["the first model did not answer"]}
    assert main(["ask", "how?", "--url", url]) == 0
    assert capsys.readouterr().err == "ragfleet: degraded: the first model did not answer\n"


def test_control_characters_of_a_document_do_not_reach_the_terminal(
    url: str, service: FakeService, capsys: Captured
) -> None:
    service.answer = {**ANSWER, "answer": "a\x1b]0;owned\x07b\x9bc\nd\te", "citations": []}
    assert main(["ask", "how?", "--url", url]) == 0
    assert capsys.readouterr().out.startswith("a�]0;owned�b�c\nd\te\n")


def test_search_lists_passages(url: str, service: FakeService, capsys: Captured) -> None:
    service.documents = {"one.md": "fox and\nfox", "two.md": "fox " + "word " * 100, "three.md": "hen"}
    assert main(["search", "fox", "--url", url, "--group", "--filter", "team=a"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:3] == [
        "1. one.md: Part > Chapter, characters 0-11, score 2.000",
        "   fox and fox",
        "2. two.md: Part > Chapter, characters 0-504, score 1.000",
    ]
    assert len(lines[3]) <= 243
    assert lines[3].endswith("…")
    ((_, _, body),) = service.requests
    assert body == {"query": "fox", "top_k": 10, "group_by_document": True, "filters": {"team": "a"}}


def test_search_prints_json_alone(url: str, service: FakeService, capsys: Captured) -> None:
    service.documents = {"one.md": "fox"}
    assert main(["search", "fox", "--url", url, "--json", "--top-k", "1"]) == 0
    out, err = capsys.readouterr()
    assert [result["document_id"] for result in json.loads(out)["results"]] == ["one.md"]
    assert err == ""


def test_a_search_that_finds_nothing_says_so(url: str, capsys: Captured) -> None:
    assert main(["search", "fox", "--url", url]) == 0
    assert capsys.readouterr().out == "No passages found.\n"
