"""Models in ONNX form, by fastembed, inside the process.

fastembed loads the model and says what its vectors are. For each question it spends 0.1 ms in Python, so
where its way from the model's outputs to vectors is one that we know (it is tried at the start), the
tokenizer and the session that it loaded are run directly.

Vectors of int8 models depend a little on what they are computed with, because numbers are scaled by the
largest of a run. Measured with MiniLM on Cranfield's questions, 16 together: the cosine between a question
alone and the same among others is 0.991 in the mean and 0.982 at least, and nDCG@10 stays (0.499 alone, 0.499
to 0.505 together). Beside an odd text, such as an empty one, it was 0.97.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import loguru
import numpy as np
from fastembed import TextEmbedding

from ragfleet_api.config.models import EmbeddingConfig, FastEmbedConfig
from ragfleet_runtime.embed.encoded import EncodedModel, Encoder, first_line
from ragfleet_runtime.embed.fastembed_catalogue import Listed, listed, listed_names, register
from ragfleet_runtime.embed.folders import model_folder, need_weights
from ragfleet_runtime.embed.grouping import in_runs
from ragfleet_runtime.embed.hub import fetch
from ragfleet_runtime.embed.model import PROBE
from ragfleet_runtime.embed.onnx_text import OnnxEncoder
from ragfleet_runtime.embed.pooling import recognise
from ragfleet_runtime.errors import ProviderError, StartError

NAME = "FastEmbed"

_TOKENIZER_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")

# Two lengths, so that a run has padding in it, and pooling that counts it would show.
_PROBES = (PROBE, "One. " + PROBE)


class PlainEncoder:
    """A fastembed model through its own methods, in runs of equally long texts."""

    def __init__(self, model: TextEmbedding, batch_size: int) -> None:
        self._model = model
        self._batch_size = batch_size

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that the tokenizer leaves; None where it says nothing of that."""
        truncation = getattr(getattr(self._model.model, "tokenizer", None), "truncation", None)
        return truncation["max_length"] if truncation else None

    def queries(self, texts: Sequence[str]) -> list[list[float]]:
        """A row for each question."""
        return self._rows(texts, self._model.query_embed)

    def documents(self, texts: Sequence[str]) -> list[list[float]]:
        """A row for each chunk."""
        return self._rows(texts, self._model.passage_embed)

    def _rows(self, texts: Sequence[str], embed: Any) -> list[list[float]]:
        lengths = [self._model.token_count(text) for text in texts]

        def run(positions: list[int]) -> list[list[float]]:
            chosen = [texts[position] for position in positions]
            return [row.tolist() for row in embed(chosen, batch_size=len(chosen))]

        return in_runs(lengths, self._batch_size, run)


def load_fastembed(config: EmbeddingConfig, provider: FastEmbedConfig) -> EncodedModel:
    """Load a model from its folder, or by its name from the hub. Blocks. Raises StartError."""
    loguru.logger.disable("fastembed")  # what it has to say is raised as well
    known = listed(provider.model)
    folder = _folder(provider, known)
    if known is None or not (folder / known.file).is_file():
        name, is_onnx = register(folder, provider.model), True
    else:
        name, is_onnx = known.name, known.is_onnx
    for file in _TOKENIZER_FILES[1:3]:
        if is_onnx and not (folder / file).is_file():
            raise StartError(
                f"the model's folder {folder} has no {file}: add it, from where the model is from"
            )
    # fastembed warns of options that it has no use for, and makes the folder of its cache in any case.
    options: dict[str, Any] = {"threads": provider.threads, "cuda": False} if is_onnx else {}
    try:
        model = TextEmbedding(name, cache_dir=str(folder), specific_model_path=str(folder), **options)
        return EncodedModel(NAME, _encoder(model, config.batch_size), config)
    except ProviderError as error:
        raise StartError(str(error)) from error
    except Exception as error:  # onnxruntime's have no base of their own
        raise StartError(f"the model in {folder} can't be loaded: {first_line(error)}") from error


def _folder(provider: FastEmbedConfig, known: Listed | None) -> Path:
    if provider.path is not None:
        folder = model_folder(provider.path)
        is_table = known is not None and not known.is_onnx
        need_weights(folder, *((".safetensors", "safetensors") if is_table else (".onnx", "ONNX")))
        return folder
    if known is None or known.repository is None:
        raise StartError(
            f"FastEmbed can't fetch the model {provider.model}: set embedding.fastEmbed.path to its folder, "
            f"or name one of {', '.join(listed_names())}"
        )
    return fetch(
        known.repository,
        only=(*_TOKENIZER_FILES, known.file, *known.other_files),
        needed=Path(known.file).name,
    )


def _encoder(model: TextEmbedding, batch_size: int) -> Encoder:
    """The fast encoder where it gives what fastembed gives, or else fastembed's own."""
    inner: Any = model.model
    plain = PlainEncoder(model, batch_size)
    tokenizer, session = getattr(inner, "tokenizer", None), getattr(inner, "model", None)
    if tokenizer is None or session is None or not OnnxEncoder.can_feed(session):
        return plain
    outputs, mask = OnnxEncoder.all_outputs(tokenizer, session, _PROBES)
    expected = np.stack(list(model.embed(list(_PROBES), batch_size=len(_PROBES))))
    recipe = recognise(outputs, mask, expected)
    return plain if recipe is None else OnnxEncoder(tokenizer, session, recipe, batch_size)
