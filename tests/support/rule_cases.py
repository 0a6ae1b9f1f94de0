"""Objects, and what is wrong with each: one table for every checker of the API.

It is held to the models, to the generated definition, and to real API servers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from support.case import MINIMAL, Case, Changes, broken, changed, union
from support.cluster_rule_cases import CLUSTER_RULES
from support.cluster_valid_cases import CLUSTER_VALID
from support.cluster_value_cases import CLUSTER_VALUES
from support.sections import EMBEDDINGS, GENERATORS, QDRANT, SECRET
from support.valid_cases import COMMON_VALID
from support.value_cases import COMMON_VALUES

__all__ = ["CASES", "MINIMAL", "RULES", "VALID", "VALUES", "Case", "changed"]

_DENSE: Changes = {"spec.embedding": EMBEDDINGS["FastEmbed"]}
_CHAT: Changes = {"spec.generation": GENERATORS["OpenAI"]}
_STORE = "spec.vectorStore"
_RETRIEVAL = "spec.retrieval"
_GENERATION = "spec.generation"
_FALLBACKS = f"{_GENERATION}.fallbacks"


def keyless(path: str, members: Mapping[str, Changes], above: Changes) -> Iterator[Case]:
    """A provider's own address without a key."""
    for type_, value in members.items():
        for section in value.keys() & {"openAI", "cohere", "anthropic"}:
            yield broken(
                f"{path} of {type_} without a key",
                {**above, f"{path}.type": type_, f"{path}.{section}": {"model": "m"}},
                f"{path}.{section}.apiKeySecretRef",
                f"{type_} asks for a key: add apiKeySecretRef, or the baseURL of a server that asks for none",
            )


_ABOVE_A_FALLBACK: Changes = {**_CHAT, _FALLBACKS: [{"name": "other"}]}
_UNIONS = (
    *union(_STORE, {"Embedded": {"type": "Embedded"}, "Qdrant": QDRANT}, {}),
    *union("spec.embedding", EMBEDDINGS, {}),
    *union(_GENERATION, GENERATORS, {}),
    *union(f"{_FALLBACKS}[0]", GENERATORS, _ABOVE_A_FALLBACK),
    *keyless("spec.embedding", EMBEDDINGS, {}),
    *keyless(_GENERATION, GENERATORS, {}),
    *keyless(f"{_FALLBACKS}[0]", GENERATORS, _ABOVE_A_FALLBACK),
)

_OVERLAP = "overlapTokens must be less than maxTokens (default 256)"
_CANDIDATES = "candidates must be at least topK (default 8)"
_EMBEDDING = "retrieval.mode Dense and Hybrid need an embedding"
_FUSION = (
    "retrieval.candidates, fusion and whenEmbeddingFails have no effect without an embedding: add one, or "
    "take them away"
)
_INDEX = (
    "vectorStore.index.hnsw and quantization have no effect without an embedding: add one, or take them away"
)
_WEIGHTS = "denseWeight and sparseWeight must not both be 0, or there is nothing to rank by"
_RRF = "rrf is for method RRF only"
_ALPHA = "alphaPercent is for method Weighted only"
_TEMPERATURE = 'temperature must be at most "1" where Anthropic is asked or a fallback'
_LAST = "an Extractive fallback must be the last: it never fails, so those after it are never tried"
_NAME = "a fallback can't be named as the type in lower case, which names the generator above it"
_COHERE = "batchSize must be at most 96 with Cohere, which takes no more at once"
_CA = "caSecretRef needs a url that starts with https://"
_NO_ANSWER = "noAnswer must not contain a number in square brackets, which would read as a citation"
_REPLICAS = "replicas must be 0 or 1 with the Embedded engine: its data belongs to one process"
_KEYS = "apiKeys have no effect where no key is required: take them away, or required: false"
_OF_MODELS: Changes = {
    "systemPrompt": "Be brief.",
    "temperature": "0",
    "maxOutputTokens": 100,
    "language": "French",
    "contextTokens": 1000,
    "tokenizerPath": "tokenizer.json",
}


def fallbacks(*types: str) -> Changes:
    """Changes for a model with fallbacks of these types."""
    named = [{"name": f"other-{place}", **GENERATORS[type_]} for place, type_ in enumerate(types)]
    return {**_CHAT, _FALLBACKS: named}


RULES = (
    *CLUSTER_RULES,
    *_UNIONS,
    broken("overlap as large as the default size", {"spec.chunking": {"overlapTokens": 256}},
           "spec.chunking.overlapTokens", _OVERLAP),
    broken("overlap as large as the size", {"spec.chunking": {"maxTokens": 64, "overlapTokens": 64}},
           "spec.chunking.overlapTokens", _OVERLAP),
    broken("two copies of an embedded engine", {"spec.replicas": 2}, "spec.replicas", _REPLICAS),
    broken("a certificate for http",
           {_STORE: QDRANT, f"{_STORE}.qdrant": {"url": "http://qdrant", "caSecretRef": SECRET}},
           f"{_STORE}.qdrant.caSecretRef", _CA),
    broken("too large a batch for Cohere", {"spec.embedding": {**EMBEDDINGS["Cohere"], "batchSize": 97}},
           "spec.embedding.batchSize", _COHERE),
    *(broken(f"{mode} without an embedding", {f"{_RETRIEVAL}.mode": mode}, _RETRIEVAL, _EMBEDDING)
      for mode in ("Dense", "Hybrid")),
    *(broken(f"{field} without an embedding", {f"{_RETRIEVAL}.{field}": value}, _RETRIEVAL, _FUSION)
      for field, value in (("candidates", 50), ("fusion", {}), ("whenEmbeddingFails", "Fail"))),
    *(broken(f"{field} without an embedding", {f"{_STORE}.index.{field}": value}, _STORE, _INDEX)
      for field, value in (("hnsw", {}), ("quantization", {"type": "Scalar"}))),
    broken("fewer candidates than passages", {**_DENSE, _RETRIEVAL: {"candidates": 99, "topK": 100}},
           f"{_RETRIEVAL}.candidates", _CANDIDATES),
    broken("fewer candidates than passages by default", {**_DENSE, _RETRIEVAL: {"candidates": 7}},
           f"{_RETRIEVAL}.candidates", _CANDIDATES),
    broken("two weights of nothing",
           {**_DENSE,
            f"{_RETRIEVAL}.fusion": {"method": "RRF", "rrf": {"denseWeight": 0, "sparseWeight": 0}}},
           f"{_RETRIEVAL}.fusion.rrf.denseWeight", _WEIGHTS),
    *(broken(f"RRF's settings with {method}", {**_DENSE, f"{_RETRIEVAL}.fusion": {**given, "rrf": {}}},
             f"{_RETRIEVAL}.fusion.rrf", _RRF)
      for method, given in (("no method", {}), ("DBSF", {"method": "DBSF"}))),
    *(broken(f"a share with {method}", {**_DENSE, f"{_RETRIEVAL}.fusion": {**given, "alphaPercent": 50}},
             f"{_RETRIEVAL}.fusion.alphaPercent", _ALPHA)
      for method, given in (("no method", {}), ("RRF", {"method": "RRF"}))),
    broken("an answer that cites", {f"{_GENERATION}.noAnswer": "Nothing found [12]."},
           f"{_GENERATION}.noAnswer", _NO_ANSWER),
    *(broken(f"{name} without a model", {f"{_GENERATION}.{name}": value}, f"{_GENERATION}.{name}",
             f"{name} has no effect with type Extractive, which asks no model: take it away")
      for name, value in _OF_MODELS.items()),
    *(broken(f"a temperature of {value} for Anthropic",
             {_GENERATION: {**GENERATORS["Anthropic"], "temperature": value}},
             f"{_GENERATION}.temperature", _TEMPERATURE)
      for value in ("1.01", "1.1", "2", "2.0")),
    broken("a temperature of 1.5 for a fallback of Anthropic",
           {**fallbacks("OpenAI", "Anthropic"), f"{_GENERATION}.temperature": "1.5"},
           f"{_GENERATION}.temperature", _TEMPERATURE),
    *(broken(f"{len(given)} fallbacks of what never fails", {f"{_FALLBACKS}": given}, _FALLBACKS,
             "fallbacks have no effect with type Extractive, which never fails: take them away")
      for given in ([], [{"name": "other", **GENERATORS["OpenAI"]}])),
    *(broken(f"a fallback named as {type_}",
             {_GENERATION: GENERATORS[type_], _FALLBACKS: [{"name": name, **GENERATORS["Extractive"]}]},
             _FALLBACKS, _NAME)
      for type_, name in (("OpenAI", "openai"), ("Anthropic", "anthropic"))),
    broken("a fallback after one that never fails", fallbacks("Extractive", "OpenAI"), _FALLBACKS, _LAST),
    broken("two fallbacks that never fail", fallbacks("Extractive", "Extractive"), _FALLBACKS, _LAST),
    broken("keys that nobody must have", {"spec.auth.apiKeys": {}}, "spec.auth.apiKeys", _KEYS),
)  # fmt: skip

VALID = (*COMMON_VALID, *CLUSTER_VALID)
VALUES = (*COMMON_VALUES, *CLUSTER_VALUES)
CASES = (*VALID, *RULES, *VALUES)
