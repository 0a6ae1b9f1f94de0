"""Generators as the pipeline's configuration names them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from ragfleet_api.config.models import (
    AnthropicConfig,
    ExtractiveConfig,
    GenerationConfig,
    OpenAIConfig,
    PromptConfig,
)
from ragfleet_api.config.runtime import QueryConfig
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.generate.budget import ContextBudget
from ragfleet_runtime.generate.chat import ChatModel
from ragfleet_runtime.generate.extractive import ExtractiveGenerator
from ragfleet_runtime.generate.fallbacks import Fallbacks
from ragfleet_runtime.generate.model import Generator
from ragfleet_runtime.generate.rewrite import FollowUps
from ragfleet_runtime.generate.tokens import EstimatedTokenizer, FileTokenizer
from ragfleet_runtime.generate.written import WrittenGenerator
from ragfleet_runtime.index.bm25 import Analyzer
from ragfleet_runtime.index.engine import Engine
from ragfleet_runtime.observe.metrics import Metrics
from ragfleet_runtime.secrets import SecretSource


@dataclass(frozen=True)
class Generators:
    """All that makes answers. ``budget`` is None where no generator is a model."""

    fallbacks: Fallbacks
    follow_ups: FollowUps
    budget: ContextBudget | None
    no_answer: str
    models: tuple[ChatModel, ...]

    async def aclose(self) -> None:
        """Close the models' connections."""
        for model in self.models:
            await model.aclose()
        if self.budget is not None:
            self.budget.close()


def build_generators(
    config: GenerationConfig,
    limits: QueryConfig,
    secrets: SecretSource,
    *,
    engine: Engine,
    analyzer: Analyzer,
    metrics: Metrics,
) -> Generators:
    """The pipeline's generators; close them in the end. limits: of a question.

    Raises StartError where a library is missing or the tokenizer can't be read.
    """
    tokenizer = config.prompt.tokenizer_path
    counting = EstimatedTokenizer() if tokenizer is None else FileTokenizer(tokenizer)
    generators: list[Generator] = []
    models: list[ChatModel] = []
    for number, one in enumerate(config.generators, start=1):
        if isinstance(one, ExtractiveConfig):
            generators.append(
                ExtractiveGenerator(
                    engine,
                    analyzer,
                    max_sentences=one.max_sentences,
                    no_answer=config.no_answer,
                    name=one.name,
                )
            )
            continue
        model = _model(one, config.prompt, secrets, has_fallback=number < len(config.generators))
        models.append(model)
        generators.append(WrittenGenerator(model, config.prompt, config.no_answer, analyzer))
    return Generators(
        Fallbacks(generators, metrics),
        FollowUps(models[0] if models else None, engine, analyzer, limits, metrics),
        ContextBudget(config.prompt.context_tokens, counting) if models else None,
        config.no_answer,
        tuple(models),
    )


@asynccontextmanager
async def open_generators(
    config: GenerationConfig,
    limits: QueryConfig,
    secrets: SecretSource,
    *,
    engine: Engine,
    analyzer: Analyzer,
    metrics: Metrics,
) -> AsyncIterator[Generators]:
    """As ``build_generators``, closed when the block ends."""
    generators = build_generators(config, limits, secrets, engine=engine, analyzer=analyzer, metrics=metrics)
    try:
        yield generators
    finally:
        await generators.aclose()


def _model(
    config: OpenAIConfig | AnthropicConfig,
    prompt: PromptConfig,
    secrets: SecretSource,
    *,
    has_fallback: bool,
) -> ChatModel:
    # Imported here, since each needs a library that only its own pipelines have.
    try:
        if isinstance(config, OpenAIConfig):
            from ragfleet_runtime.generate.openai import OpenAIModel  # noqa: PLC0415

            return OpenAIModel(config, prompt.temperature, secrets, has_fallback=has_fallback)
        from ragfleet_runtime.generate.anthropic import AnthropicModel  # noqa: PLC0415

        return AnthropicModel(config, prompt.temperature, secrets, has_fallback=has_fallback)
    except ImportError as error:
        extra = config.type.lower()
        raise StartError(
            f"generation of type {config.type} needs the library {error.name or extra}: "
            f"pip install 'ragfleet[{extra}]'"
        ) from None
