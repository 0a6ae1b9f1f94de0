"""Whether chunks fit into what the model reads. Pure."""

from __future__ import annotations

from ragfleet_runtime.embed.model import LocalModel

# A model's tokens for one of a chunk (a word or a punctuation mark). Measured on Cranfield with BERT's
# vocabulary: 1.10 in the middle, 1.31 at most.
_MODEL_TOKENS = 4 / 3
_SPECIAL_TOKENS = 2


def truncation_warning(model: LocalModel, chunk_max_tokens: int) -> str | None:
    """One line where chunks may be longer than what the model reads, and what to change; None where they fit.

    chunk_max_tokens: the pipeline's ``chunking.maxTokens``.
    """
    if model.max_tokens is None:
        return None
    expected = round(chunk_max_tokens * _MODEL_TOKENS) + _SPECIAL_TOKENS
    if expected <= model.max_tokens:
        return None
    fits = max(1, int((model.max_tokens - _SPECIAL_TOKENS) / _MODEL_TOKENS))
    return (
        f"the embedding model reads {model.max_tokens} tokens of a text, and chunks may have {expected} of "
        f"its tokens: set chunking.maxTokens to {fits} or less, or what comes after isn't in their vectors"
    )
