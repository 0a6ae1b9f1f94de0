"""A tokenizer and an ONNX session, run with as little as possible around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ragfleet_runtime.embed.grouping import in_runs
from ragfleet_runtime.embed.pooling import Array, Mask, Recipe

_INPUTS = frozenset({"input_ids", "attention_mask", "token_type_ids"})


class OnnxEncoder:
    """Texts to rows of numbers. Threads may share it: it changes neither the tokenizer nor the session.

    tokenizer: a ``tokenizers.Tokenizer`` that truncates, and pads a text alone to its own length.
    session: an ``onnxruntime.InferenceSession``.
    """

    def __init__(self, tokenizer: Any, session: Any, recipe: Recipe, batch_size: int) -> None:
        self._tokenizer = tokenizer
        self._session = session
        self._recipe = recipe
        self._batch_size = batch_size
        self._inputs = [node.name for node in session.get_inputs()]
        self._output = [session.get_outputs()[recipe.output].name]
        self._padding = _padding(tokenizer)

    @staticmethod
    def can_feed(session: Any) -> bool:
        """Whether the session asks for nothing but a text's tokens."""
        names = {node.name for node in session.get_inputs()}
        return "input_ids" in names and names <= _INPUTS

    @staticmethod
    def all_outputs(tokenizer: Any, session: Any, texts: Sequence[str]) -> tuple[list[Array], Mask]:
        """Every output for the texts, computed in one run, and their mask."""
        inputs = [node.name for node in session.get_inputs()]
        feed, mask = _feed([tokenizer.encode(text) for text in texts], inputs, _padding(tokenizer))
        return session.run(None, feed), mask

    @property
    def max_tokens(self) -> int | None:
        """Tokens of a text that the tokenizer leaves."""
        truncation = self._tokenizer.truncation
        return truncation["max_length"] if truncation else None

    def queries(self, texts: Sequence[str]) -> list[list[float]]:
        """A row for each text."""
        # One by one: for a batch the library would start threads of its own.
        encodings = [self._tokenizer.encode(text) for text in texts]
        if len(encodings) == 1:
            return self._run(encodings)

        def run(positions: list[int]) -> list[list[float]]:
            return self._run([encodings[position] for position in positions])

        return in_runs([len(encoding) for encoding in encodings], self._batch_size, run)

    documents = queries

    def _run(self, encodings: Sequence[Any]) -> list[list[float]]:
        feed, mask = _feed(encodings, self._inputs, self._padding)
        (hidden,) = self._session.run(self._output, feed)
        rows: list[list[float]] = self._recipe.rows(hidden, mask).tolist()
        return rows


def _feed(
    encodings: Sequence[Any], inputs: Sequence[str], padding: dict[str, Any]
) -> tuple[dict[str, Array], Mask]:
    """The session's inputs, padded to the longest text, and the mask."""
    longest = max(map(len, encodings))
    for encoding in encodings:
        if len(encoding) < longest:
            encoding.pad(longest, **padding)
    ids = np.array([encoding.ids for encoding in encodings], dtype=np.int64)
    rows = [encoding.attention_mask for encoding in encodings]
    mask = np.array(rows, dtype=np.int64)
    # zeros, not zeros_like, which is slow Python code where a model's run has emptied the processor's caches.
    every = {"input_ids": ids, "attention_mask": mask, "token_type_ids": np.zeros(ids.shape, dtype=np.int64)}
    # Also a text alone may have padding: some tokenizers fill up to a multiple.
    has_padding = any(0 in row for row in rows)
    return {name: every[name] for name in inputs}, mask if has_padding else None


def _padding(tokenizer: Any) -> dict[str, Any]:
    settings = tokenizer.padding or {}
    return {
        key: settings[key] for key in ("direction", "pad_id", "pad_type_id", "pad_token") if key in settings
    }
