"""Objects that are valid: every field, every provider, and the neighbours of what is not."""

from __future__ import annotations

from typing import Any

from support.case import Case
from support.sections import EMBEDDINGS, GENERATORS, QDRANT, SECRET

_DENSE: dict[str, Any] = {"spec.embedding": EMBEDDINGS["FastEmbed"]}
_CHAT: dict[str, Any] = {"spec.generation": GENERATORS["OpenAI"]}
_REMOTE: dict[str, Any] = {
    "baseURL": "https://models.example:8443/v1",
    "model": "accounts/a/models/b:c@d",
    "apiKeySecretRef": {"name": "models.a-b", "key": ".a_B.c-1"},
}
_CALLS: dict[str, Any] = {"timeoutSeconds": 600, "maxRetries": 0, "maxConcurrency": 256}
_RETRIEVAL: dict[str, Any] = {
    "mode": "Hybrid",
    "topK": 5,
    "candidates": 100,
    "fusion": {"method": "RRF", "rrf": {"k": 2, "denseWeight": 3, "sparseWeight": 0}},
    "whenEmbeddingFails": "SearchSparse",
    "bm25": {"language": "German"},
    "query": {"maxCharacters": 1000, "tooLong": "Truncate"},
}
_INDEX: dict[str, Any] = {
    "hnsw": {"m": 32, "efConstruct": 200, "efSearch": 64, "onDisk": True},
    "quantization": {"type": "Binary", "alwaysInMemory": False, "oversamplingPercent": 300},
    "optimizer": {"indexingThresholdKilobytes": 1000, "segments": 4},
    "metadata": [{"key": "team", "type": "Keyword"}, {"key": "größe in cm", "type": "Number"}],
}
_ASKING: dict[str, Any] = {
    "systemPrompt": "Answer\nbriefly.",
    "temperature": "0.2",
    "maxOutputTokens": 16,
    "language": "Portuguese (Brazil)",
    "contextTokens": 2_000_000,
    "tokenizerPath": "models/tokenizer.json",
    "noAnswer": "Non.",
}
_LIMITS: dict[str, Any] = {
    "spec.chunking": {"strategy": "Heading", "maxTokens": 512, "overlapTokens": 64},
    "spec.ingestion": {"maxRequestMegabytes": 1, "parseTimeoutSeconds": 600, "parseMemoryMegabytes": 128},
    "spec.requests": {"deadlineSeconds": 3600},
}
_FALLBACKS: list[dict[str, Any]] = [
    {"name": "openai-2", "type": "OpenAI", "openAI": {**_REMOTE, "maxTokensParameter": "MaxTokens"}},
    {"name": "anthropic", "type": "Anthropic", "anthropic": _REMOTE},
    {"name": "last", "type": "Extractive", "extractive": {"maxSentences": 20}},
]

_EVERY_FIELD = (
    Case(
        "every field of the embedded engine, with local models",
        {
            "metadata.labels": {"example.com/team": "a"},
            "metadata.annotations": {"example.com/note": ""},
            "spec.vectorStore": {
                "type": "Embedded",
                "collection": "team-a-2",
                "adopt": True,
                "index": _INDEX,
            },
            "spec.embedding": {
                "type": "FastEmbed",
                "fastEmbed": {"model": "a/B-1.5_c", "path": "models/a b", "threads": 2},
                "dimensions": 384,
                "queryPrefix": "query: ",
                "documentPrefix": "passage: ",
                "normalize": False,
                "batchSize": 2048,
            },
            "spec.retrieval": _RETRIEVAL,
            "spec.generation": {"type": "Extractive", "extractive": {"maxSentences": 2}, "noAnswer": "Non."},
            **_LIMITS,
            "spec.replicas": 1,
        },
    ),
    Case(
        "every field of the server engine, with remote models and keys",
        {
            "spec.vectorStore": {
                "type": "Qdrant",
                "collection": "team-a-2",
                "adopt": False,
                "qdrant": {
                    "url": "https://qdrant.example/base/",
                    "apiKeySecretRef": SECRET,
                    "caSecretRef": {"name": "qdrant", "key": "ca.crt"},
                    "timeoutSeconds": 5,
                    "maxRetries": 10,
                    "maxConnections": 8,
                    "upsertBatchSize": 64,
                    "shards": 3,
                    "replicationFactor": 2,
                },
                "index": _INDEX,
            },
            "spec.embedding": {
                "type": "OpenAI",
                "openAI": {**_REMOTE, **_CALLS},
                "dimensions": 1536,
                "batchSize": 1,
            },
            "spec.retrieval": _RETRIEVAL,
            "spec.generation": {
                "type": "OpenAI",
                "openAI": {**_REMOTE, "maxTokensParameter": "MaxCompletionTokens"},
                **_ASKING,
                "fallbacks": _FALLBACKS,
            },
            **_LIMITS,
            "spec.auth": {"required": True, "apiKeys": {"secretRef": {"name": "callers"}}},
            "spec.replicas": 1000,
        },
    ),
    Case(
        "every field of Cohere and Anthropic",
        {
            "spec.embedding": {"type": "Cohere", "cohere": {**_REMOTE, **_CALLS}, "batchSize": 96},
            "spec.generation": {
                "type": "Anthropic",
                "anthropic": _REMOTE,
                **_ASKING,
                "temperature": "1.00",
                "fallbacks": [{"name": "openai", **GENERATORS["OpenAI"]}],
            },
        },
    ),
    Case(
        "every field of SentenceTransformers",
        {
            "spec.embedding": {
                "type": "SentenceTransformers",
                "sentenceTransformers": {"model": "bge-m3", "path": "/models/bge", "device": "CUDA"},
            }
        },
    ),
)
_PROVIDERS = (
    *(Case(f"embedding by {type_}", {"spec.embedding": section}) for type_, section in EMBEDDINGS.items()),
    *(Case(f"answers by {type_}", {"spec.generation": section}) for type_, section in GENERATORS.items()),
    Case("a server engine", {"spec.vectorStore": QDRANT}),
    Case("a server engine in many copies", {"spec.vectorStore": QDRANT, "spec.replicas": 2}),
    *(
        Case(f"{section} behind its own address, without a key", {
            f"spec.{section}": {"baseURL": "http://[::1]:8000", "model": "/models/m"},
            f"spec.{section.split('.')[0]}.type": type_,
        })
        for section, type_ in (
            ("embedding.openAI", "OpenAI"),
            ("embedding.cohere", "Cohere"),
            ("generation.openAI", "OpenAI"),
            ("generation.anthropic", "Anthropic"),
        )
    ),
)  # fmt: skip
_NEIGHBOURS = (
    Case("overlap one less than the default size", {"spec.chunking": {"overlapTokens": 255}}),
    Case("overlap one less than the size", {"spec.chunking": {"maxTokens": 16, "overlapTokens": 15}}),
    Case("a size without an overlap", {"spec.chunking": {"maxTokens": 16}}),
    Case("paused", {"spec.replicas": 0}),
    Case("longest name", {"metadata.name": "a" * 52}),
    Case("brackets in an answer", {"spec.generation.noAnswer": "Nothing [found] in [1"}),
    Case("longest answer, in characters and not bytes", {"spec.generation.noAnswer": "é" * 1000}),
    Case("sparse searches beside an embedding", {**_DENSE, "spec.retrieval.mode": "Sparse"}),
    Case("dense searches", {**_DENSE, "spec.retrieval.mode": "Dense"}),
    Case("as many candidates as passages", {**_DENSE, "spec.retrieval": {"candidates": 100, "topK": 100}}),
    Case("as many candidates as passages by default", {**_DENSE, "spec.retrieval": {"candidates": 8}}),
    Case("most passages, with the default candidates", {**_DENSE, "spec.retrieval": {"topK": 100}}),
    Case(
        "one weight of nothing",
        {**_DENSE, "spec.retrieval.fusion": {"method": "RRF", "rrf": {"denseWeight": 0}}},
    ),
    Case(
        "weighted scores", {**_DENSE, "spec.retrieval.fusion": {"method": "Weighted", "alphaPercent": 0}}
    ),
    Case("a method alone", {**_DENSE, "spec.retrieval.fusion": {"method": "Weighted"}}),
    Case("an optimizer without an embedding", {"spec.vectorStore.index.optimizer": {"segments": 2}}),
    Case(
        "metadata without an embedding",
        {"spec.vectorStore.index.metadata": [{"key": "a.b", "type": "Bool"}, {"key": "A.b", "type": "Bool"}]},
    ),
    Case("metadata without an item", {"spec.vectorStore.index.metadata": []}),
    Case("a certificate for https", {
        "spec.vectorStore": QDRANT, "spec.vectorStore.qdrant.caSecretRef": SECRET}),
    Case("a key over http", {
        "spec.vectorStore": QDRANT,
        "spec.vectorStore.qdrant": {"url": "http://127.0.0.1:6333", "apiKeySecretRef": SECRET}}),
    Case("highest temperature of OpenAI", {**_CHAT, "spec.generation.temperature": "2.00"}),
    Case("highest temperature of Anthropic", {
        "spec.generation": {**GENERATORS["Anthropic"], "temperature": "1"}}),
    Case("no fallback in the list", {**_CHAT, "spec.generation.fallbacks": []}),
    Case("keys that are generated", {"spec.auth": {"required": True, "apiKeys": {}}}),
    Case("auth left out", {"spec.auth": ...}),
    Case("auth that is null", {"spec.auth": None}),
    Case("auth with nothing said", {"spec.auth": {}}),
)  # fmt: skip

COMMON_VALID = (
    Case("minimal", {}),
    Case("empty sections", {
        "spec.chunking": {}, "spec.retrieval": {}, "spec.ingestion": {}, "spec.requests": {},
        "spec.retrieval.bm25": {}, "spec.retrieval.query": {}, "spec.vectorStore.index": {},
        "spec.vectorStore.index.optimizer": {}, "spec.generation.extractive": {},
    }),
    Case("empty sections beside an embedding", {
        **_DENSE, "spec.retrieval.fusion": {}, "spec.vectorStore.index.hnsw": {},
    }),
    Case("null is unset", {
        "spec.chunking": None, "spec.retrieval": {"topK": None, "fusion": None, "candidates": None},
        "spec.replicas": None, "spec.embedding": None, "spec.vectorStore.qdrant": None,
        "spec.vectorStore.index": {"hnsw": None, "quantization": None, "metadata": None},
        "spec.generation": {"type": "Extractive", "temperature": None, "fallbacks": None, "openAI": None},
        "spec.auth.apiKeys": None,
    }),
    Case("null is unset in an item of a list", {**_CHAT, "spec.generation.fallbacks": [
        {"name": "other", "type": "Extractive", "extractive": None, "openAI": None},
    ]}),
    *_EVERY_FIELD,
    *_PROVIDERS,
    *_NEIGHBOURS,
)  # fmt: skip
