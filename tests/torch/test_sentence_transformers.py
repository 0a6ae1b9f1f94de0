"""SentenceTransformers with a tiny random model that is made here: run by ``make test-torch``."""

from __future__ import annotations

import importlib
import json
import math
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest

from ragfleet_api.config.models import EmbeddingConfig, SentenceTransformersConfig
from ragfleet_runtime.embed.build import open_embedding
from ragfleet_runtime.embed.limits import truncation_warning
from ragfleet_runtime.embed.model import LocalModel
from ragfleet_runtime.errors import ProviderError, StartError
from support.embedding_models import Secrets, embedding_config

pytest.importorskip(
    "sentence_transformers", reason="sentence-transformers isn't installed: make test-torch installs it"
)

WORDS = ["red", "blue", "lighthouse", "harbour", "salt", "query", "passage", ":"]
READS = 16
DIMENSIONS = 32


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A BERT of two layers with random weights, in the layout of sentence-transformers."""
    transformers = importlib.import_module("transformers")
    folder = tmp_path_factory.mktemp("models") / "tiny"
    folder.mkdir()
    vocabulary = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS]
    (folder / "vocab.txt").write_text("\n".join(vocabulary))
    tokenizer = importlib.import_module("tokenizers").BertWordPieceTokenizer(str(folder / "vocab.txt"))
    tokenizer.save(str(folder / "tokenizer.json"))
    write(folder, "tokenizer_config.json", {"tokenizer_class": "BertTokenizer", "model_max_length": READS})
    config = transformers.BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=DIMENSIONS,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=64,
    )
    importlib.import_module("torch").manual_seed(1)
    transformers.BertModel(config).save_pretrained(folder)
    types = [("", "Transformer"), ("1_Pooling", "Pooling")]
    modules = [
        {"idx": n, "name": str(n), "path": path, "type": f"sentence_transformers.models.{type_}"}
        for n, (path, type_) in enumerate(types)
    ]
    write(folder, "modules.json", modules)
    write(folder, "sentence_bert_config.json", {"max_seq_length": READS, "do_lower_case": False})
    write(folder, "1_Pooling/config.json", {"word_embedding_dimension": 32, "pooling_mode_mean_tokens": True})
    assert list(folder.glob("*.safetensors"))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """The model in a folder of the test's own."""
    copy = tmp_path / "tiny"
    for file in made.rglob("*"):
        if file.is_file():
            place = copy / file.relative_to(made)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(file.read_bytes())
    return copy


@pytest.fixture(scope="module")
def model(made: Path) -> LocalModel:
    return local(made)


def write(folder: Path, name: str, content: Any) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content))


def config(path: Path, device: Literal["CPU", "CUDA"] = "CPU", **settings: Any) -> EmbeddingConfig:
    provider = SentenceTransformersConfig(model="acme/tiny", path=str(path), device=device)
    return embedding_config(provider, **settings)


def local(path: Path, **settings: Any) -> LocalModel:
    found = open_embedding(config(path, **settings), Secrets()).local
    assert found is not None
    return found


def start_error(path: Path, **settings: Any) -> str:
    with pytest.raises(StartError) as raised:
        open_embedding(config(path, **settings), Secrets())
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_what_the_model_is_is_told(model: LocalModel) -> None:
    assert model.dimensions == DIMENSIONS
    assert model.max_tokens == READS
    assert "reads 16 tokens" in str(truncation_warning(model, 256))


def test_vectors_are_normalised_where_the_pipeline_asks_for_it(made: Path, model: LocalModel) -> None:
    (unit,) = model.embed_queries(["red lighthouse"])
    (raw,) = local(made, normalize=False).embed_queries(["red lighthouse"])
    assert math.hypot(*unit) == pytest.approx(1)
    assert math.hypot(*raw) > 1.5
    assert unit == pytest.approx([number / math.hypot(*raw) for number in raw], abs=1e-6)


def test_texts_of_a_batch_keep_their_order_and_their_vectors(made: Path, model: LocalModel) -> None:
    texts = [" ".join(WORDS[: n % len(WORDS) + 1]) for n in range(20)]
    together = local(made, batch_size=3).embed_documents(texts)
    for text, vector in zip(texts, together, strict=True):
        assert vector == pytest.approx(model.embed_documents([text])[0], abs=1e-5)


def test_prefixes_stand_before_questions_and_chunks(made: Path, model: LocalModel) -> None:
    prefixed = local(made, query_prefix="query: ", document_prefix="passage: ")
    assert prefixed.embed_queries(["salt"]) == model.embed_queries(["query: salt"])
    assert prefixed.embed_documents(["salt"]) == model.embed_documents(["passage: salt"])
    assert prefixed.embed_queries(["salt"]) != prefixed.embed_documents(["salt"])


def test_prefixes_that_came_with_the_model_are_said_and_not_used(
    folder: Path, model: LocalModel, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = {"query": "query: ", "document": "passage: "}
    write(folder, "config_sentence_transformers.json", {"prompts": prompts, "default_prompt_name": "query"})
    own = local(folder)
    said = capsys.readouterr().out
    assert "queryPrefix" in said
    assert "documentPrefix" in said
    assert own.embed_queries(["salt"]) == model.embed_queries(["salt"])
    assert own.embed_documents(["salt"]) == model.embed_documents(["salt"])


def test_other_dimensions_than_configured_stop_the_start(made: Path) -> None:
    assert local(made, dimensions=DIMENSIONS).dimensions == DIMENSIONS
    assert "have 32 dimensions and the pipeline asks for 64" in start_error(made, dimensions=64)


def test_texts_beyond_what_the_model_reads_are_cut_off(model: LocalModel) -> None:
    long = "red " * 100
    assert model.embed_documents([long]) == model.embed_documents([long + "lighthouse"])


def test_text_that_is_not_unicode_is_the_callers_fault(model: LocalModel) -> None:
    with pytest.raises(ProviderError, match="isn't valid Unicode"):
        model.embed_queries(["broken \ud800"])


def test_threads_may_share_the_model(model: LocalModel) -> None:
    texts = [" ".join(WORDS[: n % len(WORDS) + 1]) for n in range(200)]
    expected = {text: model.embed_queries([text])[0] for text in set(texts)}
    with ThreadPoolExecutor(4) as pool:
        documents = [pool.submit(model.embed_documents, texts) for _ in range(4)]
        found = list(pool.map(lambda text: model.embed_queries([text])[0], texts))
        assert all(len(task.result()) == len(texts) for task in documents)
    for text, vector in zip(texts, found, strict=True):
        assert vector == pytest.approx(expected[text], abs=1e-5)


def test_pickles_alone_are_refused(folder: Path) -> None:
    torch = importlib.import_module("torch")
    (weights,) = folder.glob("*.safetensors")
    state = importlib.import_module("safetensors.torch").load_file(weights)
    torch.save(state, folder / "pytorch_model.bin")
    weights.unlink()
    message = start_error(folder)
    assert "pytorch_model.bin" in message
    assert "convert them to safetensors" in message


def test_a_layer_with_a_pickle_alone_is_refused(folder: Path) -> None:
    (folder / "2_Dense").mkdir()
    (folder / "2_Dense/pytorch_model.bin").touch()
    assert "2_Dense" in start_error(folder)


def test_a_pickle_beside_safetensors_is_not_read(folder: Path, model: LocalModel) -> None:
    (folder / "pytorch_model.bin").write_bytes(b"not a pickle")
    assert local(folder).embed_queries(["salt"]) == model.embed_queries(["salt"])


def test_code_that_came_with_the_model_is_not_run(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    (folder / "evil.py").write_text(f"open({str(trace)!r}, 'w')\nclass Layer: ...\n")
    modules = json.loads((folder / "modules.json").read_text())
    modules.append({"idx": 2, "name": "2", "path": "", "type": "evil.Layer"})
    write(folder, "modules.json", modules)
    assert f"the model in {folder} can't be loaded" in start_error(folder)
    assert not trace.exists()


def test_a_folder_without_weights_is_refused(tmp_path: Path) -> None:
    assert "has no safetensors file" in start_error(tmp_path)


def test_broken_weights_are_refused(folder: Path) -> None:
    (weights,) = folder.glob("*.safetensors")
    weights.write_bytes(b"broken")
    assert f"the model in {folder} can't be loaded" in start_error(folder)


def test_cuda_without_a_gpu_stops_the_start(made: Path) -> None:
    if importlib.import_module("torch").cuda.is_available():
        assert local(made, device="CUDA").dimensions == DIMENSIONS
    else:
        assert "set embedding.sentenceTransformers.device to CPU" in start_error(made, device="CUDA")
