"""How answers are made from the passages found."""

from __future__ import annotations

import re
from typing import Annotated, ClassVar, Final, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.list_map import MapBy
from ragfleet_api.spec.common import FilePath, union_rules
from ragfleet_api.spec.remote import RemoteModel, key_rule

GenerationType = Literal["Extractive", "OpenAI", "Anthropic"]
MaxTokensParameter = Literal["MaxTokens", "MaxCompletionTokens"]
GeneratorName = Annotated[str, Field(min_length=1, max_length=63, pattern=r"^[a-z0-9]([a-z0-9-]*[a-z0-9])?$")]
# A number as text, since the API has no floats: two decimals at most, from 0 to 2.
Temperature = Annotated[str, Field(max_length=4, pattern=r"^([01](\.[0-9]{1,2})?|2(\.0{1,2})?)$")]

_UNION: Final = {"Extractive": "extractive", "OpenAI": "openAI", "Anthropic": "anthropic"}
# Settings that only a model reads, by their JSON names and as attributes.
_OF_MODELS: Final = {
    "systemPrompt": "system_prompt",
    "temperature": "temperature",
    "maxOutputTokens": "max_output_tokens",
    "language": "language",
    "contextTokens": "context_tokens",
    "tokenizerPath": "tokenizer_path",
}


def _of_models(name: str, attribute: str) -> Rule:
    return Rule(
        cel=f"!has(self.{name}) || self.type != 'Extractive'",
        message=f"{name} has no effect with type Extractive, which asks no model: take it away",
        field=name,
        holds=lambda self: getattr(self, attribute) is None or self.type != "Extractive",
    )


class Extractive(ApiModel):
    """Settings of the extractive generator."""

    max_sentences: Annotated[int, Field(ge=1, le=20)] | None = Field(
        default=None, description="Most sentences in an answer. Default: 3."
    )


class GenerationOpenAI(RemoteModel):
    """A language model behind OpenAI's chat API: OpenAI, Gemini, vLLM, Ollama, llama.cpp and others."""

    max_tokens_parameter: MaxTokensParameter | None = Field(
        default=None,
        description=(
            "What its server calls the limit of an answer: max_tokens or max_completion_tokens. Default: "
            "MaxCompletionTokens at OpenAI's own address, MaxTokens elsewhere."
        ),
    )

    rules: ClassVar[tuple[Rule, ...]] = (key_rule("OpenAI"),)


class GenerationAnthropic(RemoteModel):
    """A language model behind Anthropic's Messages API."""

    rules: ClassVar[tuple[Rule, ...]] = (key_rule("Anthropic"),)


class GenerationFallback(ApiModel):
    """A generator that is tried when those before it fail."""

    name: GeneratorName = Field(description="Name of the fallback, shown in the reply's degraded.")
    type: GenerationType = Field(description="Who makes the answer.")
    extractive: Extractive | None = Field(default=None, description="Settings of the extractive generator.")
    open_ai: GenerationOpenAI | None = Field(
        default=None, alias="openAI", description="A model behind OpenAI's chat API."
    )
    anthropic: GenerationAnthropic | None = Field(
        default=None, description="A model behind Anthropic's Messages API."
    )

    rules: ClassVar[tuple[Rule, ...]] = union_rules(_UNION, optional=frozenset({"Extractive"}))


def _is_extractive_last(self: Generation) -> bool:
    """Whether no fallback but the last is extractive."""
    return all(fallback.type != "Extractive" for fallback in (self.fallbacks or [])[:-1])


def _is_cool_enough(self: Generation) -> bool:
    """Whether no generator is asked for a higher temperature than it takes."""
    types = {self.type, *(fallback.type for fallback in self.fallbacks or ())}
    return self.temperature is None or "Anthropic" not in types or float(self.temperature) <= 1


class Generation(ApiModel):
    """How answers are made from the passages found."""

    type: GenerationType = Field(
        description=(
            "Extractive answers with the best sentences of the documents, word for word, each cited; OpenAI "
            "and Anthropic let a language model write the answer from the passages found."
        )
    )
    extractive: Extractive | None = Field(default=None, description="Settings of the extractive generator.")
    open_ai: GenerationOpenAI | None = Field(
        default=None, alias="openAI", description="A model behind OpenAI's chat API."
    )
    anthropic: GenerationAnthropic | None = Field(
        default=None, description="A model behind Anthropic's Messages API."
    )
    system_prompt: Annotated[str, Field(min_length=1, max_length=16_384)] | None = Field(
        default=None,
        description=(
            "What models are told of their task and manner, before the rules of citing. Default: to answer "
            "from the sources alone."
        ),
    )
    temperature: Temperature | None = Field(
        default=None,
        description=(
            'How freely models choose words, "0" to "2", in quotes; at most "1" with Anthropic, whose newer '
            "models take none. Default: the provider's own."
        ),
    )
    max_output_tokens: Annotated[int, Field(ge=16, le=131_072)] | None = Field(
        default=None, description="Longest answer of a model, in its tokens. Default: 800."
    )
    language: (
        Annotated[str, Field(min_length=2, max_length=40, pattern=r"^[A-Za-z][A-Za-z ()-]*$")] | None
    ) = Field(
        default=None,
        description="Language of a model's answers, as in French. Default: that of the question.",
    )
    context_tokens: Annotated[int, Field(ge=256, le=2_000_000)] | None = Field(
        default=None,
        description=(
            "Most tokens of passages and conversation given to a model; what is over is left out. "
            "Default: 6000."
        ),
    )
    tokenizer_path: FilePath | None = Field(
        default=None,
        description=(
            "File tokenizer.json, or its folder, to count tokens by. Default: an estimate that is seldom "
            "less than a model's own count."
        ),
    )
    no_answer: Annotated[str, Field(min_length=1, max_length=1000)] | None = Field(
        default=None, description="The answer when nothing relevant is found."
    )
    fallbacks: Annotated[list[GenerationFallback], Field(max_length=8), MapBy("name")] | None = Field(
        default=None, description="Generators that are tried in this order when the one above fails."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        *union_rules(_UNION, optional=frozenset({"Extractive"})),
        Rule(
            cel=r"!has(self.noAnswer) || !self.noAnswer.matches('\\[[0-9]+\\]')",
            message="noAnswer must not contain a number in square brackets, which would read as a citation",
            field="noAnswer",
            holds=lambda self: self.no_answer is None or not re.search(r"\[[0-9]+\]", self.no_answer),
        ),
        Rule(
            # As text, "1.00" comes before "1.01" and what is above 1 doesn't; the pattern sees to the rest.
            cel=(
                "!has(self.temperature) || self.temperature < '1.01' || !(self.type == 'Anthropic' || "
                "has(self.fallbacks) && self.fallbacks.exists(f, f.type == 'Anthropic'))"
            ),
            message='temperature must be at most "1" where Anthropic is asked or a fallback',
            field="temperature",
            holds=_is_cool_enough,
        ),
        Rule(
            cel="!has(self.fallbacks) || self.type != 'Extractive'",
            message="fallbacks have no effect with type Extractive, which never fails: take them away",
            field="fallbacks",
            holds=lambda self: self.fallbacks is None or self.type != "Extractive",
        ),
        Rule(
            cel=(
                "!has(self.fallbacks) || self.type == 'Extractive' || "
                "self.fallbacks.all(f, f.name != (self.type == 'OpenAI' ? 'openai' : 'anthropic'))"
            ),
            message="a fallback can't be named as the type in lower case, which names the generator above it",
            field="fallbacks",
            holds=lambda self: (
                self.type == "Extractive"
                or all(fallback.name != self.type.lower() for fallback in self.fallbacks or ())
            ),
        ),
        Rule(
            cel=(
                "!has(self.fallbacks) || !self.fallbacks.exists(f, f.type == 'Extractive') || "
                "self.fallbacks.exists_one(f, f.type == 'Extractive') && "
                "self.fallbacks[size(self.fallbacks) - 1].type == 'Extractive'"
            ),
            message=(
                "an Extractive fallback must be the last: it never fails, so those after it are never tried"
            ),
            field="fallbacks",
            holds=_is_extractive_last,
        ),
        *(_of_models(name, attribute) for name, attribute in _OF_MODELS.items()),
    )
