"""Which embedding model is opened, and why one can't be."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ragfleet_api.config.models import EmbeddingConfig, SentenceTransformersConfig
from ragfleet_runtime.embed import build
from ragfleet_runtime.embed.build import open_embedding
from ragfleet_runtime.errors import StartError
from support.embedding_models import (
    KEY,
    Secrets,
    embedding_config,
    fastembed_config,
    remote_config,
)

HEAVY = ("fastembed", "onnxruntime", "openai", "huggingface_hub", "numpy", "sentence_transformers", "torch")


def start_error(config: EmbeddingConfig) -> str:
    with pytest.raises(StartError) as raised:
        open_embedding(config, Secrets())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def torch_config(path: Path | None) -> EmbeddingConfig:
    return embedding_config(
        SentenceTransformersConfig(model="any/model", path=None if path is None else str(path), device="CPU")
    )


def test_importing_the_builder_loads_no_optional_library() -> None:
    code = f"import sys, ragfleet_runtime.embed.build; print([n for n in {HEAVY} if n in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("config", "extra"),
    [
        (fastembed_config(), "fastembed"),
        (torch_config(None), "torch"),
        (remote_config("OpenAI", "http://127.0.0.1:9"), "openai"),
    ],
)
def test_a_library_that_is_not_installed_is_named_with_its_extra(
    config: EmbeddingConfig, extra: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(name: str, *_: Any) -> None:
        return None

    monkeypatch.setattr(build, "find_spec", missing)
    assert f"pip install 'ragfleet[{extra}]'" in start_error(config)


@pytest.mark.parametrize("type_", ["OpenAI", "Cohere"])
def test_a_missing_secret_does_not_stop_the_start(type_: Any) -> None:
    config = remote_config(type_, "http://127.0.0.1:9", api_key=KEY)
    assert open_embedding(config, Secrets()).local is None


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert f"{tmp_path / 'nowhere'} isn't there" in start_error(fastembed_config(tmp_path / "nowhere"))


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert "is a file" in start_error(fastembed_config(tmp_path / "model.onnx"))


def test_a_folder_without_onnx_files_is_refused(tmp_path: Path) -> None:
    assert "has no ONNX file" in start_error(fastembed_config(tmp_path))


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "model.pth", "model.pkl", "0_X/model.BIN"])
def test_pickles_alone_are_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).touch()
    message = start_error(fastembed_config(tmp_path))
    assert Path(name).name in message
    assert "pickles" in message
    assert "convert them to ONNX" in message


def test_a_broken_onnx_file_is_refused(tmp_path: Path) -> None:
    for name in ("model.onnx", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_text("{}")
    assert f"the model in {tmp_path} can't be loaded" in start_error(fastembed_config(tmp_path))


def test_a_folder_without_its_tokenizer_is_refused(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").touch()
    assert "has no tokenizer.json" in start_error(fastembed_config(tmp_path))


def test_a_name_that_fastembed_does_not_know_is_refused_with_those_that_it_does() -> None:
    message = start_error(fastembed_config(None, "nobody/no-such-model"))
    assert "nobody/no-such-model" in message
    assert "embedding.fastEmbed.path" in message
    assert "sentence-transformers/all-MiniLM-L6-v2" in message


def test_a_hub_that_cannot_be_reached_is_said_soon(tmp_path: Path) -> None:
    """In a process of its own: the hub's address is read when its library is imported."""
    code = (
        "from support.embedding_models import *\n"
        "from ragfleet_runtime.embed.build import open_embedding\n"
        "open_embedding(fastembed_config(None, 'BAAI/bge-small-en-v1.5'), Secrets())\n"
    )
    tests = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tests,
        env={"HF_ENDPOINT": "http://127.0.0.1:9", "HF_HOME": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert "StartError: the model Qdrant/bge-small-en-v1.5-onnx-Q can't be fetched" in done.stderr
    assert "set embedding's path" in done.stderr


@pytest.mark.skipif(
    importlib.util.find_spec("sentence_transformers") is not None, reason="sentence-transformers is installed"
)
def test_sentence_transformers_is_not_in_this_environment() -> None:
    assert "pip install 'ragfleet[torch]'" in start_error(torch_config(None))
