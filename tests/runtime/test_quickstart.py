"""The quickstart's questions, asked of its documents: a floor under the usefulness of extractive answers."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from ragfleet_runtime.compose import open_runtime
from ragfleet_runtime.ingest.model import FileDocument
from ragfleet_runtime.secrets_files import GivenSecrets
from support.configs import make_config

pytestmark = pytest.mark.anyio
QUICKSTART = Path(__file__).parents[2] / "examples/quickstart"


async def test_most_questions_are_answered_and_others_are_refused(tmp_path: Path) -> None:
    """27 of 40 right and 11 of 12 refused when this was written."""
    questions = [json.loads(line) for line in (QUICKSTART / "questions.jsonl").read_text().splitlines()]
    config = make_config(generation={"type": "Extractive", "noAnswer": "Nothing."})
    async with open_runtime(config, tmp_path, GivenSecrets({})) as runtime:
        files = [
            FileDocument(p.name, p.read_bytes(), p.name) for p in sorted((QUICKSTART / "docs").iterdir())
        ]
        report = await runtime.ingester.ingest(files)
        assert [outcome.error for outcome in report.outcomes if outcome.status != "indexed"] == []
        right = refused = 0
        transport = httpx.ASGITransport(runtime.app)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            for question in questions:
                answer = (await client.post("/query", json={"query": question["question"]})).json()
                texts = {source["n"]: source["text"] for source in answer["sources"]}
                for citation in answer["citations"]:
                    statement = answer["answer"][citation["answer_start"] : citation["answer_end"]]
                    assert statement in texts[citation["n"]]
                if question["document"] is None:
                    refused += answer["answer"] == "Nothing."
                else:
                    right += question["answer"] in answer["answer"]
    assert right >= 25
    assert refused >= 11
