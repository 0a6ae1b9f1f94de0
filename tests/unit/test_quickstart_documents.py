"""The quickstart's documents, the script that makes two of them, and the questions asked of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import docx
import pypdfium2  # type: ignore[import-untyped]
import pytest
import yaml
from selectolax.lexbor import LexborHTMLParser

from ragfleet_api.spec import RAGPipelineSpec

QUICKSTART = Path(__file__).parents[2] / "examples" / "quickstart"
DOCUMENTS = QUICKSTART / "docs"
PDF = "service-level-agreement.pdf"
DOCX = "incident-runbook.docx"
QUESTIONS = [json.loads(line) for line in (QUICKSTART / "questions.jsonl").read_text("utf-8").splitlines()]
ANSWERED = [question for question in QUESTIONS if question["document"] is not None]


def pdf_text(path: Path) -> str:
    with pypdfium2.PdfDocument(path) as pdf:
        return "\n".join(page.get_textpage().get_text_bounded() for page in pdf)


def docx_text(path: Path) -> str:
    document = docx.Document(str(path))
    cells = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([f"{p.style.name if p.style else ''}: {p.text}" for p in document.paragraphs] + cells)


def html_text(path: Path) -> str:
    return LexborHTMLParser(path.read_text("utf-8")).text()


def text_of(name: str) -> str:
    readers = {".pdf": pdf_text, ".docx": docx_text, ".html": html_text}
    path = DOCUMENTS / name
    reader = readers.get(path.suffix)
    return path.read_text("utf-8") if reader is None else reader(path)


def make(folder: Path, hash_seed: str, timezone: str) -> Path:
    folder.mkdir()
    script = QUICKSTART / "make_documents.py"
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed, "TZ": timezone}
    subprocess.run([sys.executable, "-W", "error", script, folder], check=True, env=environment)
    return folder


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("quickstart") / "first", hash_seed="1", timezone="UTC")


def test_two_runs_of_the_script_write_equal_bytes(made: Path, tmp_path: Path) -> None:
    again = make(tmp_path / "second", hash_seed="2", timezone="Pacific/Auckland")
    assert {path.name: path.read_bytes() for path in made.iterdir()} == {
        path.name: path.read_bytes() for path in again.iterdir()
    }


def test_the_documents_checked_in_are_those_that_the_script_writes(made: Path) -> None:
    """Texts, not bytes: another version of fpdf2, python-docx or zlib may write the same text otherwise."""
    assert pdf_text(made / PDF) == pdf_text(DOCUMENTS / PDF)
    assert docx_text(made / DOCX) == docx_text(DOCUMENTS / DOCX)


def test_the_pdf_is_ascii() -> None:
    assert (DOCUMENTS / PDF).read_bytes().isascii()


def test_each_document_is_of_a_size_that_people_read() -> None:
    words = {path.name: len(text_of(path.name).split()) for path in DOCUMENTS.iterdir()}
    assert {name: count for name, count in words.items() if not 300 <= count <= 1200} == {}


def test_every_document_has_a_question_and_every_question_its_document() -> None:
    asked = Counter(question["document"] for question in ANSWERED)
    assert set(asked) == {path.name for path in DOCUMENTS.iterdir()}


def test_questions_are_different_and_some_have_no_answer() -> None:
    texts = [question["question"] for question in QUESTIONS]
    assert len(set(texts)) == len(texts)
    assert (len(ANSWERED), len(QUESTIONS) - len(ANSWERED)) == (40, 12)


@pytest.mark.parametrize("question", ANSWERED, ids=lambda question: question["question"])
def test_the_answer_is_in_the_document(question: dict[str, str]) -> None:
    assert question["answer"] in text_of(question["document"])


@pytest.mark.parametrize("question", ANSWERED, ids=lambda question: question["question"])
def test_the_question_is_no_copy_of_a_passage(question: dict[str, str]) -> None:
    text = " ".join(text_of(question["document"]).lower().split())
    assert question["question"].lower().rstrip("?") not in text


def test_the_manifest_is_valid() -> None:
    manifest = yaml.safe_load((QUICKSTART / "pipeline.yaml").read_text("utf-8"))
    assert (manifest["apiVersion"], manifest["kind"]) == ("ragfleet.dev/v1alpha1", "RAGPipeline")
    RAGPipelineSpec.model_validate(manifest["spec"])
