"""The quickstart's questions, asked of its documents: a floor under the usefulness of extractive answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ragfleet_runtime.compose import open_runtime
from ragfleet_runtime.generate.answerer import Answerer
from ragfleet_runtime.generate.extractive import ExtractiveGenerator
from ragfleet_runtime.ingest.model import FileDocument
from ragfleet_runtime.observe.metrics import Metrics
from support.configs import make_config

pytestmark = pytest.mark.anyio
QUICKSTART = Path(__file__).parents[2] / "examples/quickstart"


async def test_most_questions_are_answered_and_others_are_refused(tmp_path: Path) -> None:
    """27 of 40 right and 11 of 12 refused when this was written."""
    questions = [json.loads(line) for line in (QUICKSTART / "questions.jsonl").read_text().splitlines()]
    config = make_config()
    async with open_runtime(config, tmp_path) as runtime:
        files = [
            FileDocument(p.name, p.read_bytes(), p.name) for p in sorted((QUICKSTART / "docs").iterdir())
        ]
        report = await runtime.ingester.ingest(files)
        assert [outcome.error for outcome in report.outcomes if outcome.status != "indexed"] == []
        collection = runtime.collection
        generator = ExtractiveGenerator(
            collection.engine, collection.analyzer, max_sentences=3, no_answer="Nothing."
        )
        answerer = Answerer(collection.reader, generator, config.retrieval, Metrics())
        right = refused = 0
        for question in questions:
            sources = await answerer.retrieve(question["question"], None, None)
            answer = await answerer.generate(question["question"], sources)
            texts = {source.n: source.passage.text for source in sources}
            for citation in answer.citations:
                assert answer.text[citation.answer_start : citation.answer_end] in texts[citation.n]
            if question["document"] is None:
                refused += answer.text == "Nothing."
            else:
                right += question["answer"] in answer.text
    assert right >= 25
    assert refused >= 11
