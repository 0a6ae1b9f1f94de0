"""FastEmbed with a real model: MiniLM in int8, from the folder beside the repository."""

from __future__ import annotations

import asyncio
import json
import math
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.embed.build import open_embedding
from ragfleet_runtime.embed.model import LocalModel, Vector
from ragfleet_runtime.errors import ProviderError, StartError
from support.embedding_models import MINILM, MINILM_NAME, Secrets, fastembed_config, need_minilm
from support.embedding_server import cosine

TEXTS = [
    "How do I rotate an API key?",
    "What is the boundary layer of a flat plate in supersonic flow?",
    "salt",
    "",
    "Les œuvres de l'été 東京",
    "The quick brown fox jumps over the lazy dog, " * 6,
    "The heat transfer through a laminar boundary layer was measured on a blunt body, " * 30,
    "Where is the nightly backup?",
]


@pytest.fixture(scope="module", autouse=True)
def _model_is_there() -> None:
    need_minilm()


@pytest.fixture(scope="module")
def model() -> LocalModel:
    return local(**{})


def local(path: Path | None = MINILM, name: str = MINILM_NAME, **settings: Any) -> LocalModel:
    found = open_embedding(fastembed_config(path, name, **settings), Secrets()).local
    assert found is not None
    return found


@pytest.fixture(scope="module")
def plain() -> Any:
    """fastembed as its documentation uses it."""
    from fastembed import TextEmbedding

    return TextEmbedding(MINILM_NAME, specific_model_path=str(MINILM), cache_dir=str(MINILM), threads=1)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """The model's files in another folder, to which files may be added."""
    copy = tmp_path / "model"
    copy.mkdir()
    for file in MINILM.iterdir():
        (copy / file.name).symlink_to(file)
    yield copy
    shutil.rmtree(copy)


def near(a: Vector, b: Vector, least: float) -> None:
    assert cosine(a, b) >= least


def test_what_the_model_is_is_told(model: LocalModel) -> None:
    assert model.dimensions == 384
    assert model.max_tokens == 512


def test_vectors_are_those_of_fastembed(model: LocalModel, plain: Any) -> None:
    for text in TEXTS:
        expected = next(iter(plain.embed([text]))).tolist()
        assert model.embed_queries([text])[0] == pytest.approx(expected, abs=1e-6)
        assert model.embed_documents([text])[0] == pytest.approx(expected, abs=1e-6)


def test_a_run_of_several_texts_is_that_of_fastembed(model: LocalModel, plain: Any) -> None:
    texts = ["red lighthouse", "a blue harbour", "where the ships are"]
    expected = [row.tolist() for row in plain.embed(texts, batch_size=3)]
    for vector, row in zip(model.embed_queries(texts), expected, strict=True):
        assert vector == pytest.approx(row, abs=1e-6)


def test_together_and_alone_are_nearly_the_same_in_the_same_order(model: LocalModel) -> None:
    """Of an int8 model; beside an empty text the others differ more."""
    texts = [text for text in TEXTS if text] * 5
    for text, vector in zip(texts, model.embed_queries(texts), strict=True):
        near(vector, model.embed_queries([text])[0], 0.98)
    for text, vector in zip(TEXTS, model.embed_queries(TEXTS), strict=True):
        near(vector, model.embed_queries([text])[0], 0.95)


def test_vectors_have_length_1(model: LocalModel) -> None:
    for vector in model.embed_documents(TEXTS):
        assert math.hypot(*vector) == pytest.approx(1, abs=1e-5)
        assert all(type(number) is float for number in vector)


def test_likeness_of_meaning_is_nearness(model: LocalModel) -> None:
    question, answer, other = model.embed_queries(
        ["How do I change my password?", "Resetting the secret you log in with", "The whale is a mammal"]
    )
    assert cosine(question, answer) > cosine(question, other) + 0.2


def test_prefixes_stand_before_questions_and_chunks(model: LocalModel) -> None:
    prefixed = local(query_prefix="query: ", document_prefix="passage: ")
    assert prefixed.embed_queries(["salt"]) == model.embed_queries(["query: salt"])
    assert prefixed.embed_documents(["salt"]) == model.embed_documents(["passage: salt"])


def test_other_dimensions_than_configured_stop_the_start() -> None:
    assert local(dimensions=384).dimensions == 384
    with pytest.raises(StartError, match=r"have 384 dimensions and the pipeline asks for 512"):
        local(dimensions=512)


def test_texts_beyond_what_the_model_reads_are_cut_off(model: LocalModel) -> None:
    long = "boundary layer " * 2000
    (vector,) = model.embed_documents([long])
    near(vector, model.embed_documents([long + "and then a whale"])[0], 0.9999)


def test_text_that_is_not_unicode_is_the_callers_fault(model: LocalModel) -> None:
    with pytest.raises(ProviderError, match="isn't valid Unicode") as raised:
        model.embed_queries(["broken \ud800"])
    assert raised.value.fault == "invalid_request"


def test_threads_may_share_the_model(model: LocalModel) -> None:
    expected = [model.embed_queries([text])[0] for text in TEXTS]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n: model.embed_queries([TEXTS[n % len(TEXTS)]])[0], range(64)))
    assert found == [expected[n % len(TEXTS)] for n in range(64)]


def test_a_folder_that_says_how_to_run_its_model_needs_no_name_that_fastembed_knows(
    folder: Path, model: LocalModel
) -> None:
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling/config.json").write_text(
        json.dumps({"word_embedding_dimension": 384, "pooling_mode_mean_tokens": True})
    )
    types = ["Transformer", "Pooling", "Normalize"]
    modules = [{"idx": n, "type": f"sentence_transformers.models.{t}"} for n, t in enumerate(types)]
    (folder / "modules.json").write_text(json.dumps(modules))
    for _ in range(2):  # fastembed's list takes a name once
        own = local(folder, "acme/our-own-model")
        assert own.embed_queries(TEXTS) == model.embed_queries(TEXTS)


@pytest.mark.parametrize(
    ("mode", "pooled"), [("cls", lambda rows: rows[0]), ("lasttoken", lambda rows: rows[-1])]
)
def test_pooling_is_what_the_folder_says(folder: Path, plain: Any, mode: str, pooled: Any) -> None:
    (folder / "1_Pooling").mkdir()
    config = {"embedding_dimension": 384, "pooling_mode": mode}
    (folder / "1_Pooling/config.json").write_text(json.dumps(config))
    (vector,) = local(folder, "acme/our-own-model", normalize=False).embed_queries(["red lighthouse"])
    expected = pooled(plain.model.onnx_embed(["red lighthouse"]).model_output[0])
    assert np.allclose(vector, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "has no 1_Pooling/config.json that says how"),
        ({"1_Pooling/config.json": "{}"}, "asks for pooling that FastEmbed can't do"),
        ({"1_Pooling/config.json": "{"}, "can't be read"),
        (
            {"1_Pooling/config.json": '{"pooling_mode": "max", "embedding_dimension": 384}'},
            "FastEmbed can't do (max)",
        ),
        (
            {
                "1_Pooling/config.json": '{"pooling_mode": "mean", "embedding_dimension": 384}',
                "modules.json": '[{"type": "sentence_transformers.models.Dense"}]',
            },
            "a layer that FastEmbed can't run (Dense)",
        ),
    ],
)
def test_a_folder_that_does_not_say_how_to_run_its_model_is_refused(
    folder: Path, files: dict[str, str], message: str
) -> None:
    (folder / "1_Pooling").mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(StartError) as raised:
        local(folder, "acme/our-own-model")
    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_which_of_several_onnx_files_to_take_must_be_said(folder: Path) -> None:
    (folder / "1_Pooling").mkdir()
    config = {"embedding_dimension": 384, "pooling_mode": "mean"}
    (folder / "1_Pooling/config.json").write_text(json.dumps(config))
    (folder / "model.onnx").rename(folder / "a.onnx")
    assert local(folder, "acme/our-own-model").dimensions == 384
    (folder / "b.onnx").symlink_to(MINILM / "model.onnx")
    with pytest.raises(StartError, match=r"2 ONNX files \(a\.onnx, b\.onnx\)"):
        local(folder, "acme/our-own-model")


def test_a_model_fetched_before_is_loaded_by_its_name_without_the_hub(tmp_path: Path) -> None:
    """In a process of its own: where the hub and its cache are is read when its library is imported."""
    repository = tmp_path / "hub/models--Qdrant--all-MiniLM-L6-v2-onnx"
    snapshot = repository / "snapshots/abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs/main").write_text("abc")
    for file in MINILM.iterdir():
        (snapshot / file.name).symlink_to(file)
    code = (
        "from support.embedding_models import *\n"
        "from ragfleet_runtime.embed.build import open_embedding\n"
        "print(open_embedding(fastembed_config(None), Secrets()).local.dimensions)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=Path(__file__).parents[1],
        env={"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.stdout.strip() == "384", done.stderr


def test_what_is_not_recognised_is_left_to_fastembed(
    model: LocalModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ragfleet_runtime.embed import fastembed

    monkeypatch.setattr(fastembed, "recognise", lambda *_: None)
    slow = local()
    assert slow.max_tokens == 512
    for a, b in zip(slow.embed_queries(TEXTS), model.embed_queries(TEXTS), strict=True):
        assert a == pytest.approx(b, abs=1e-6)
    for a, b in zip(slow.embed_documents(TEXTS), model.embed_documents(TEXTS), strict=True):
        assert a == pytest.approx(b, abs=1e-6)


@pytest.mark.anyio
async def test_coroutines_embed_questions_beside_documents() -> None:
    embedding = open_embedding(fastembed_config(), Secrets())
    assert embedding.local is not None
    embedder = embedding.embedder
    try:
        chunks = [f"{n} {TEXTS[1]}" for n in range(150)]
        documents = asyncio.create_task(embedder.embed_documents(chunks))
        questions = await asyncio.gather(*(embedder.embed_query(text, Deadline(20)) for text in TEXTS))
        assert not documents.done()
        for text, vector in zip(TEXTS, questions, strict=True):
            near(vector, embedding.local.embed_queries([text])[0], 0.95)
        vectors = await documents
        for n in (0, 63, 64, 149):
            near(vectors[n], embedding.local.embed_documents([chunks[n]])[0], 0.98)
    finally:
        await embedder.aclose()
