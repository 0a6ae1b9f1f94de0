"""Whether chunks fit into what a model reads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ragfleet_runtime.embed.limits import truncation_warning
from ragfleet_runtime.embed.model import Vector


@dataclass
class Model:
    max_tokens: int | None
    dimensions: int = 2

    def embed_queries(self, texts: Sequence[str]) -> list[Vector]:
        raise NotImplementedError

    embed_documents = embed_queries


def test_chunks_that_fit_need_no_warning() -> None:
    assert truncation_warning(Model(512), 256) is None


def test_a_model_that_does_not_say_what_it_reads_gets_no_warning() -> None:
    assert truncation_warning(Model(None), 4000) is None


def test_chunks_that_may_be_cut_off_are_said_with_what_to_change() -> None:
    warning = truncation_warning(Model(256), 256)
    assert warning is not None
    assert "reads 256 tokens" in warning
    assert "chunking.maxTokens to 190 or less" in warning
    assert "\n" not in warning


def test_what_the_warning_advises_needs_no_warning() -> None:
    for reads in (3, 64, 128, 256, 510, 512, 8192):
        advised = int((reads - 2) / (4 / 3)) or 1
        assert truncation_warning(Model(reads), advised) is None
        assert truncation_warning(Model(reads), advised + 1) is not None
