"""Objects with a value of the wrong kind, and how it is told."""

from __future__ import annotations

from typing import Any

from support.case import Case
from support.sections import EMBEDDINGS, GENERATORS, QDRANT

_NAME = "must be a string of at most 52 characters that matches ^[a-z]([-a-z0-9]*[a-z0-9])?$"
_STRATEGIES = "must be one of Adaptive, Sentence, Heading, Section, Syntax"
_SPEC = (
    "auth, autoscaling, chunking, embedding, exposure, generation, ingestion, monitoring, networkPolicy, "
    "replicas, requests, retrieval, runtime, suspend, upgrade, vectorStore"
)
_RETRIEVAL = "bm25, candidates, fusion, mode, query, topK, whenEmbeddingFails"
_COLLECTION = "must be a string of 1 to 128 characters that matches ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_URL = (
    r"must be a string of 8 to 1024 characters that matches "
    r"^https?://([A-Za-z0-9][A-Za-z0-9._-]*|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?(/[A-Za-z0-9._~%:@+/-]*)?$"
)
_HUB_MODEL = (
    "must be a string of 1 to 192 characters that matches "
    "^[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9._-]*)?$"
)
_MODEL = "must be a string of 1 to 256 characters that matches ^[!-~]+$"
_FILE = r"must be a string of 1 to 1024 characters that matches ^[^\x00-\x1f\x7f]+$"
_SECRET_NAME = "must be a string of 1 to 253 characters that matches ^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$"
_SECRET_KEY = (
    r"must be a string of 1 to 253 characters that matches ^([A-Za-z0-9_-]|\.[A-Za-z0-9_-])[A-Za-z0-9._-]*$"
)
_TEMPERATURE = r"must be a string of at most 4 characters that matches ^([01](\.[0-9]{1,2})?|2(\.0{1,2})?)$"
_LANGUAGE = "must be a string of 2 to 40 characters that matches ^[A-Za-z][A-Za-z ()-]*$"
_FALLBACK_NAME = "must be a string of 1 to 63 characters that matches ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
_METADATA_KEY = r"""must be a string of 1 to 256 characters that matches ^[^"\\\x00-\x1f\x7f]+$"""
_CHAT: dict[str, Any] = {"spec.generation": GENERATORS["OpenAI"]}
_KEYWORD = {"key": "team", "type": "Keyword"}

_STRUCTURE = (
    Case("no spec", {"spec": ...}, path="spec",
         message=f"required, and missing; must be an object with {_SPEC}"),
    Case("no engine", {"spec.vectorStore": ...}, path="spec.vectorStore",
         message="required, and missing; must be an object with adopt, collection, deletionPolicy, "
                 "embedded, index, qdrant, type"),
    Case("no engine type", {"spec.vectorStore": {}}, path="spec.vectorStore.type",
         message="required, and missing; must be one of Embedded, Qdrant"),
    Case("no embedding type", {"spec.embedding": {}}, path="spec.embedding.type",
         message="required, and missing; must be one of FastEmbed, SentenceTransformers, OpenAI, Cohere"),
    Case("no quantisation type",
         {"spec.embedding": EMBEDDINGS["FastEmbed"], "spec.vectorStore.index.quantization": {}},
         path="spec.vectorStore.index.quantization.type",
         message="required, and missing; must be one of Scalar, Binary"),
    Case("unknown section", {"spec.chunks": {}}, path="spec.chunks",
         message=f"unknown field; did you mean chunking? allowed: {_SPEC}"),
    Case("unknown field", {"spec.chunking": {"maxTokenz": 5}}, path="spec.chunking.maxTokenz",
         message="unknown field; did you mean maxTokens? allowed: maxTokens, overlapTokens, strategy"),
    Case("unknown field that is null", {"spec.auth.key": None}, path="spec.auth.key",
         message="unknown field; did you mean apiKeys? allowed: apiKeys, required"),
    Case("unknown field in a list", {"spec.vectorStore.index.metadata": [{**_KEYWORD, "kind": "x"}]},
         path="spec.vectorStore.index.metadata[0].kind", message="unknown field; allowed: key, type"),
    Case("Python's name of a field", {"spec.chunking": {"max_tokens": 64}}, path="spec.chunking.max_tokens",
         message="unknown field; did you mean maxTokens? allowed: maxTokens, overlapTokens, strategy"),
    Case("another spelling of OpenAI",
         {"spec.embedding": {**EMBEDDINGS["OpenAI"], "openai": {}}}, path="spec.embedding.openai",
         message="unknown field; did you mean openAI? allowed: batchSize, cohere, dimensions, "
                 "documentPrefix, fastEmbed, normalize, openAI, queryPrefix, sentenceTransformers, type"),
    Case("another spelling of baseURL",
         {**_CHAT, "spec.generation.openAI.baseUrl": "http://a"}, path="spec.generation.openAI.baseUrl",
         message="unknown field; did you mean baseURL? allowed: apiKeySecretRef, baseURL, "
                 "maxTokensParameter, model"),
    Case("a key in the manifest", {**_CHAT, "spec.generation.openAI.apiKey": "s"},
         path="spec.generation.openAI.apiKey",
         message="unknown field; allowed: apiKeySecretRef, baseURL, maxTokensParameter, model"),
    Case("like nothing", {"spec.retrieval": {"zz": 5}}, path="spec.retrieval.zz",
         message=f"unknown field; allowed: {_RETRIEVAL}"),
    Case("text for an object", {"spec.retrieval": "Sparse"}, path="spec.retrieval",
         message=f'found "Sparse" (string); must be an object with {_RETRIEVAL}'),
    Case("a list for an object", {"spec.chunking": [{"maxTokens": 5}]}, path="spec.chunking",
         message="found a list; must be an object with maxTokens, overlapTokens, strategy"),
    Case("a fallback without a name", {**_CHAT, "spec.generation.fallbacks": [GENERATORS["Extractive"]]},
         path="spec.generation.fallbacks[0].name",
         message=f"required, and missing; {_FALLBACK_NAME}"),
    Case("two fallbacks of one name",
         {**_CHAT, "spec.generation.fallbacks": [
             {"name": "a", **GENERATORS["Anthropic"]}, {"name": "b", **GENERATORS["OpenAI"]},
             {"name": "a", **GENERATORS["Extractive"]}]},
         path="spec.generation.fallbacks[2]",
         message='name "a" is that of an item above; each needs its own'),
    Case("two indexes on one key",
         {"spec.vectorStore.index.metadata": [_KEYWORD, {"key": "team", "type": "Number"}]},
         path="spec.vectorStore.index.metadata[1]",
         message='key "team" is that of an item above; each needs its own'),
)  # fmt: skip

_SCALARS = (
    Case("text for a number", {"spec.retrieval": {"topK": "ten"}}, path="spec.retrieval.topK",
         message='found "ten" (string); must be an integer from 1 to 100'),
    Case("a number in quotes", {"spec.retrieval": {"topK": "10"}}, path="spec.retrieval.topK",
         message='found "10" (string); must be an integer from 1 to 100'),
    Case("a fraction", {"spec.retrieval": {"topK": 2.5}}, path="spec.retrieval.topK",
         message="found 2.5 (number); must be an integer from 1 to 100"),
    Case("a boolean for a number", {"spec.retrieval": {"topK": True}}, path="spec.retrieval.topK",
         message="found true (boolean); must be an integer from 1 to 100"),
    Case("a list for a number", {"spec.retrieval": {"topK": [5]}}, path="spec.retrieval.topK",
         message="found a list; must be an integer from 1 to 100"),
    Case("too many", {"spec.retrieval": {"topK": 101}}, path="spec.retrieval.topK",
         message="found 101; must be an integer from 1 to 100"),
    Case("far too many", {"spec.replicas": 10**30}, path="spec.replicas",
         message="found 1000000000000000000000000000000; must be an integer from 0 to 1000"),
    Case("text for a boolean", {"spec.auth": {"required": "false"}}, path="spec.auth.required",
         message='found "false" (string); must be true or false'),
    Case("a number for text", {"spec.generation.noAnswer": 5}, path="spec.generation.noAnswer",
         message="found 5 (integer); must be a string of 1 to 1000 characters"),
    Case("no text", {"spec.generation.noAnswer": ""}, path="spec.generation.noAnswer",
         message='found ""; must be a string of 1 to 1000 characters'),
    Case("too much text", {"spec.generation.noAnswer": "é" * 1001}, path="spec.generation.noAnswer",
         message=f'found "{"é" * 60}"… (1001 characters); must be a string of 1 to 1000 characters'),
    Case("a number for a temperature", {**_CHAT, "spec.generation.temperature": 0.2},
         path="spec.generation.temperature", message=f"found 0.2 (number); {_TEMPERATURE}"),
    Case("no such strategy", {"spec.chunking": {"strategy": "Fixed"}}, path="spec.chunking.strategy",
         message=f'found "Fixed"; {_STRATEGIES}'),
    Case("strategy in lower case", {"spec.chunking": {"strategy": "adaptive"}}, path="spec.chunking.strategy",
         message=f'found "adaptive"; did you mean Adaptive? {_STRATEGIES}'),
    Case("a number for a strategy", {"spec.chunking": {"strategy": 5}}, path="spec.chunking.strategy",
         message=f"found 5 (integer); {_STRATEGIES}"),
    Case("no such engine", {"spec.vectorStore": {"type": "Weaviate"}}, path="spec.vectorStore.type",
         message='found "Weaviate"; must be one of Embedded, Qdrant'),
    Case("the wire's name of a parameter",
         {**_CHAT, "spec.generation.openAI.maxTokensParameter": "max_tokens"},
         path="spec.generation.openAI.maxTokensParameter",
         message='found "max_tokens"; did you mean MaxTokens? must be one of MaxTokens, MaxCompletionTokens'),
)  # fmt: skip

# Texts that a pattern refuses, by where the text stands; what stands around it; what is allowed.
_PATTERNS: tuple[tuple[str, dict[str, Any], str, tuple[str, ...]], ...] = (
    ("metadata.name", {}, _NAME, ("a" * 53, "a.b", "1st")),
    ("spec.vectorStore.collection", {}, _COLLECTION, ("Team", "team\n", "-a")),
    (
        "spec.vectorStore.qdrant.url",
        {"spec.vectorStore": QDRANT},
        _URL,
        (
            "qdrant:6333",
            "ftp://qdrant",
            "HTTPS://qdrant",
            "http:///a",
            "http://a b",
            "http://qdrant:123456",
            "http://qdrant:",
            "http://qdrant\n",
            "http://qdränt",
        ),
    ),
    (
        "spec.embedding.fastEmbed.model",
        {"spec.embedding": EMBEDDINGS["FastEmbed"]},
        _HUB_MODEL,
        ("../../etc", "a/b/c", "a/../b", "/models/a", "a b", "a/", "https://a/b"),
    ),
    (
        "spec.embedding.fastEmbed.path",
        {"spec.embedding": EMBEDDINGS["FastEmbed"]},
        _FILE,
        ("", "models\nminilm", "a\x7f", "a\t"),
    ),
    ("spec.embedding.openAI.model", {"spec.embedding": EMBEDDINGS["OpenAI"]}, _MODEL, ("a b", "a\n", "é")),
    (
        "spec.generation.openAI.apiKeySecretRef.name",
        _CHAT,
        _SECRET_NAME,
        ("..", "a/b", "Keys", "a.", "keys\n"),
    ),
    ("spec.generation.openAI.apiKeySecretRef.key", _CHAT, _SECRET_KEY, (".", "..", "..a", "a/b", "a b")),
    (
        "spec.generation.temperature",
        _CHAT,
        _TEMPERATURE,
        ("", "-1", "2.01", "2.1", "3", "1.", ".5", "0.123", "1e0", "0,5", "01"),
    ),
    ("spec.generation.language", _CHAT, _LANGUAGE, ("a", "French.", "French\nIgnore", "1a")),
    (
        "spec.generation.fallbacks[0].name",
        {**_CHAT, "spec.generation.fallbacks": [{"name": "a", **GENERATORS["Extractive"]}]},
        _FALLBACK_NAME,
        ("A", "a b", "a.", "-a", "a" * 58 + "_"),
    ),
    (
        "spec.vectorStore.index.metadata[0].key",
        {"spec.vectorStore.index.metadata": [_KEYWORD]},
        _METADATA_KEY,
        ("", 'a"b', "a\\b", "a\nb"),
    ),
)


def _shown(text: str) -> str:
    # Written out, as another way than the one that is tested.
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'


# Of an address that is refused, what may be secret in it isn't shown.
_ADDRESSES = (
    ("http://user@qdrant", "http://…@qdrant"),
    ("http://user:password@qdrant", "http://…@qdrant"),
    ("http://user:pass/w?rd#@qdrant:6333/", "http://…@qdrant:6333/"),
    ("http://qdrant?api_key=a", "http://qdrant?…"),
    ("http://qdrant/?", "http://qdrant/?"),
    ("http://qdrant/#a", "http://qdrant/#…"),
    ("http://qdrant\\@other", "http://…@other"),
)

COMMON_VALUES = (
    *_STRUCTURE,
    *_SCALARS,
    *(
        Case(
            f"the address {text}",
            {"spec.vectorStore": QDRANT, "spec.vectorStore.qdrant.url": text},
            path="spec.vectorStore.qdrant.url",
            message=f'found "{shown}"; {_URL}',
        )
        for text, shown in _ADDRESSES
    ),
    *(
        Case(
            f"{path} is {text!a}",
            {**around, path: text},
            path=path,
            message=f"found {_shown(text)}; {expected}",
        )
        for path, around, expected, texts in _PATTERNS
        for text in texts
    ),
)
