"""Which models FastEmbed runs, and how a folder whose model it doesn't know says how to run it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from fastembed import TextEmbedding
from fastembed.common.model_description import ModelSource, PoolingType

from ragfleet_runtime.embed.folders import names_in, read_json
from ragfleet_runtime.errors import StartError

# The layout of sentence-transformers, in which most models are published.
_POOLING_FILE = "1_Pooling/config.json"
_ONNX_FILES = ("model.onnx", "onnx/model.onnx")
_KINDS = {
    "mean": PoolingType.MEAN,
    "mean_tokens": PoolingType.MEAN,
    "cls": PoolingType.CLS,
    "cls_token": PoolingType.CLS,
    "lasttoken": PoolingType.LAST_TOKEN,
}


class Listed(NamedTuple):
    """A model that FastEmbed knows: its name there, its repository in the hub, and the files it takes."""

    name: str
    repository: str | None
    file: str
    other_files: tuple[str, ...]

    @property
    def is_onnx(self) -> bool:
        """Whether it is run by ONNX; the others are tables of words, which FastEmbed looks up by itself."""
        return self.file.endswith(".onnx")


def listed(model: str) -> Listed | None:
    """The model of that name, in any case; None where FastEmbed doesn't know it."""
    for description in TextEmbedding.list_supported_models():
        if description["model"].lower() == model.lower():
            return Listed(
                description["model"],
                description["sources"]["hf"],
                description["model_file"],
                tuple(description["additional_files"]),
            )
    return None


def listed_names() -> list[str]:
    """The names that FastEmbed knows, in order."""
    return sorted(description["model"] for description in TextEmbedding.list_supported_models())


def register(folder: Path, model: str) -> str:
    """Make FastEmbed know the model in a folder by what the folder says; returns the name to load it by.

    The folder has the layout of sentence-transformers: ``1_Pooling/config.json`` says how tokens are pooled,
    ``modules.json`` whether vectors are normalised. Raises StartError where it doesn't say, or asks for what
    FastEmbed can't do.
    """
    pooling, dimensions = _pooling(folder, model)
    unit = _normalises(folder)
    file = _onnx_file(folder)
    # FastEmbed keeps its list for the whole process and takes each name once: the name holds all that counts.
    name = f"{folder.resolve()}/{file} {pooling.value} {dimensions} {unit}"
    if listed(name) is None:
        TextEmbedding.add_custom_model(
            name,
            pooling=pooling,
            normalization=unit,
            sources=ModelSource(hf=model),
            dim=dimensions,
            model_file=file,
        )
    return name


def _pooling(folder: Path, model: str) -> tuple[PoolingType, int]:
    config = read_json(folder, _POOLING_FILE)
    if config is None:
        raise StartError(
            f"FastEmbed doesn't know the model {model}, and {folder} has no {_POOLING_FILE} that says how "
            f"its tokens are pooled: add that file, or name one of {', '.join(listed_names())}"
        )
    mode = _mode(config) if isinstance(config, dict) else None
    dimensions = None
    if isinstance(config, dict):
        dimensions = config.get("word_embedding_dimension", config.get("embedding_dimension"))
    if mode not in _KINDS or not isinstance(dimensions, int):
        raise StartError(
            f"{folder / _POOLING_FILE} asks for pooling that FastEmbed can't do ({mode or 'not one mode'}): "
            "it does mean, cls and lasttoken; the type SentenceTransformers does the others"
        )
    return _KINDS[mode], dimensions


def _mode(config: Mapping[str, Any]) -> str | None:
    """The one mode that is on: ``pooling_mode`` of newer files, ``pooling_mode_...: true`` of older ones."""
    if isinstance(mode := config.get("pooling_mode"), str):
        return mode
    prefix = "pooling_mode_"
    on = [
        key.removeprefix(prefix) for key, value in config.items() if key.startswith(prefix) and value is True
    ]
    return on[0] if len(on) == 1 else None


def _normalises(folder: Path) -> bool:
    modules = read_json(folder, "modules.json")
    kinds = (
        [str(module["type"]).rsplit(".", 1)[-1] for module in modules] if isinstance(modules, list) else []
    )
    if others := [kind for kind in kinds if kind not in ("Transformer", "Pooling", "Normalize")]:
        raise StartError(
            f"{folder / 'modules.json'} has a layer that FastEmbed can't run ({others[0]}): "
            "use the type SentenceTransformers"
        )
    return "Normalize" in kinds


def _onnx_file(folder: Path) -> str:
    found = names_in(folder, ".onnx")
    for name in _ONNX_FILES:
        if name in found:
            return name
    if len(found) != 1:
        raise StartError(
            f"{folder} has {len(found)} ONNX files ({', '.join(found)}) and none is {_ONNX_FILES[0]}: "
            f"name the one to take {_ONNX_FILES[0]}"
        )
    return found[0]
