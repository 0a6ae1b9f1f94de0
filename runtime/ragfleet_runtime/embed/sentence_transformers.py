"""Models with safetensors files, by sentence-transformers and PyTorch, inside the process."""

from __future__ import annotations

import importlib
from typing import Any, Protocol

import structlog

from ragfleet_api.config.models import EmbeddingConfig, SentenceTransformersConfig
from ragfleet_runtime.embed.encoded import EncodedModel, Rows, first_line
from ragfleet_runtime.embed.folders import model_folder, need_weights, pickles_in
from ragfleet_runtime.embed.hub import fetch
from ragfleet_runtime.errors import ProviderError, StartError

NAME = "SentenceTransformers"

# Neither pickles nor code.
_FILES = ("*.safetensors", "*.json", "*.txt", "*.model")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _Model(Protocol):
    """What is used of ``sentence_transformers.SentenceTransformer``, version 5 and later."""

    prompts: dict[str, str | None]
    max_seq_length: int | None

    def encode_query(self, texts: list[str], **options: Any) -> Any: ...

    def encode_document(self, texts: list[str], **options: Any) -> Any: ...


class _TorchEncoder:
    """An Encoder over sentence-transformers.

    Threads may share it: the tokenizer, which can't be changed while another thread uses it, has its settings
    from the first call on, and every call has the same.
    """

    def __init__(self, model: _Model, batch_size: int) -> None:
        self._model = model
        # An empty prompt: those that come with a model aren't used, the pipeline's prefixes are.
        self._options = {"prompt": "", "batch_size": batch_size, "show_progress_bar": False}

    @property
    def max_tokens(self) -> int | None:
        return self._model.max_seq_length

    def queries(self, texts: list[str]) -> Rows:
        rows: Rows = self._model.encode_query(texts, **self._options).tolist()
        return rows

    def documents(self, texts: list[str]) -> Rows:
        rows: Rows = self._model.encode_document(texts, **self._options).tolist()
        return rows


def load_sentence_transformers(config: EmbeddingConfig, provider: SentenceTransformersConfig) -> EncodedModel:
    """Load a model from its folder, or by its name from the hub. Blocks for seconds. Raises StartError."""
    if provider.path is not None:
        folder = model_folder(provider.path)
    else:
        folder = fetch(provider.model, only=_FILES, needed="*.safetensors")
    need_weights(folder, ".safetensors", "safetensors")
    for pickle in pickles_in(folder):
        # A layer's weights beside the model's: the library would load them where there is nothing else.
        if not any(pickle.parent.glob("*.safetensors")):
            need_weights(pickle.parent, ".safetensors", "safetensors")
    device = _device(provider)
    try:
        library = importlib.import_module("sentence_transformers")
        model: _Model = library.SentenceTransformer(
            str(folder),
            device=device,
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
        ready = EncodedModel(NAME, _TorchEncoder(model, config.batch_size), config)
    except ProviderError as error:
        raise StartError(str(error)) from error
    except Exception as error:  # neither PyTorch's nor the library's have a base of their own
        raise StartError(f"the model in {folder} can't be loaded: {first_line(error)}") from error
    _say_prompts(model, config)
    return ready


def _device(provider: SentenceTransformersConfig) -> str:
    if provider.device == "CPU":
        return "cpu"
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        raise StartError(
            "the embedding asks for the device CUDA, and PyTorch finds no GPU that it can use: "
            "set embedding.sentenceTransformers.device to CPU, or give the service a GPU"
        )
    return "cuda"


def _say_prompts(model: _Model, config: EmbeddingConfig) -> None:
    """Say which prefixes the model was made with, where the pipeline has none."""
    for prompt, configured, field in (
        ("query", config.query_prefix, "queryPrefix"),
        ("document", config.document_prefix, "documentPrefix"),
    ):
        if (text := model.prompts.get(prompt)) and not configured:
            log.warning("the embedding model was made with a prefix: set it", field=field, prefix=text)
