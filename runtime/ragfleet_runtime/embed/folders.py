"""Folders of model files: what may be loaded from them.

Only formats that hold numbers and nothing else are loaded, safetensors and ONNX. PyTorch's own files are
pickles, which run code when they are read.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import orjson

from ragfleet_runtime.errors import StartError

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".pickle", ".ckpt")


def model_folder(path: str) -> Path:
    """The folder of a model's files. Raises StartError where it isn't one."""
    folder = Path(path)
    if not folder.is_dir():
        what = "is a file" if folder.exists() else "isn't there"
        raise StartError(
            f"the model's folder {folder} {what}: set embedding's path to the folder of its files"
        )
    return folder


def need_weights(folder: Path, suffix: str, what: str) -> None:
    """Raise StartError unless the folder has weights in the format ``what``, in files of that suffix."""
    if any(folder.rglob(f"*{suffix}")):
        return
    pickles = pickles_in(folder)
    if pickles:
        raise StartError(
            f"the model's folder {folder} has its weights as pickles only ({pickles[0].name}), which can run "
            f"code and are never loaded: convert them to {what}"
        )
    raise StartError(
        f"the model's folder {folder} has no {what} file ({suffix}): take the model in that format"
    )


def pickles_in(folder: Path) -> list[Path]:
    """The pickles in the folder and below, in the order of their names."""
    return sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICKLES and path.is_file())


def read_json(folder: Path, name: str) -> dict[str, Any] | list[Any] | None:
    """A JSON file of the folder; None where it isn't there. Raises StartError where it isn't JSON."""
    path = folder / name
    try:
        content: Any = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, orjson.JSONDecodeError) as error:
        raise StartError(f"{path} can't be read: {error}") from error
    if not isinstance(content, dict | list):
        raise StartError(f"{path} can't be read: it is neither an object nor a list")
    return content


def names_in(folder: Path, suffix: str) -> Sequence[str]:
    """The files of the folder and below that end in ``suffix``, relative to it, in order."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob(f"*{suffix}") if path.is_file())
