"""Objects, and what is wrong with each: one table for every checker of the API.

It is held to the models, to the generated definition, and to real API servers.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

MINIMAL: dict[str, Any] = {
    "apiVersion": "ragfleet.dev/v1alpha1",
    "kind": "RAGPipeline",
    "metadata": {"name": "handbook"},
    "spec": {
        "vectorStore": {"type": "Embedded"},
        "generation": {"type": "Extractive"},
        "auth": {"required": False},
    },
}

_AUTH = "auth.required must be set to false: API keys are required by default and not available yet"
_OVERLAP = "overlapTokens must be less than maxTokens (default 256)"
_NO_ANSWER = "noAnswer must not contain a number in square brackets, which would read as a citation"
_REPLICAS = "replicas must be 0 or 1 with the Embedded engine: its data belongs to one process"
_NAME = "must be a string of at most 52 characters that matches ^[a-z]([-a-z0-9]*[a-z0-9])?$"
_STRATEGIES = "must be one of Adaptive, Sentence, Heading, Section, Syntax"
_COLLECTION = "must be a string of 1 to 128 characters that matches ^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"


@dataclass(frozen=True, slots=True)
class Case:
    """The minimal object with some fields changed.

    changes: values by path from the root; ``...`` takes the field away.
    path, message: what the one problem is about, and how it is told on a laptop; "" for a valid object.
    rule: whether a CEL rule finds it, so that the API server's message is the same.
    """

    name: str
    changes: dict[str, Any]
    path: str = ""
    message: str = ""
    rule: bool = False

    def manifest(self) -> dict[str, Any]:
        """The object."""
        return changed(self.changes)


def changed(changes: dict[str, Any]) -> dict[str, Any]:
    """The minimal object with fields changed, as in ``Case.changes``."""
    value = copy.deepcopy(MINIMAL)
    for path, new in changes.items():
        *above, last = path.split(".")
        parent = value
        for step in above:
            parent = parent.setdefault(step, {})
        if new is ...:
            del parent[last]
        else:
            parent[last] = new
    return value


VALID = (
    Case("minimal", {}),
    Case("empty sections", {"spec.chunking": {}, "spec.retrieval": {}, "spec.ingestion": {}}),
    Case("null is unset", {"spec.chunking": None, "spec.retrieval": {"topK": None}, "spec.replicas": None}),
    Case(
        "every field",
        {
            "metadata.labels": {"example.com/team": "a"},
            "metadata.annotations": {"example.com/note": ""},
            "spec.vectorStore": {"type": "Embedded", "collection": "team-a-2", "adopt": True},
            "spec.chunking": {"strategy": "Heading", "maxTokens": 512, "overlapTokens": 64},
            "spec.retrieval": {
                "mode": "Sparse",
                "topK": 5,
                "bm25": {"language": "German"},
                "query": {"maxCharacters": 1000, "tooLong": "Truncate"},
            },
            "spec.generation": {"type": "Extractive", "extractive": {"maxSentences": 2}, "noAnswer": "Non."},
            "spec.ingestion": {
                "maxRequestMegabytes": 1,
                "parseTimeoutSeconds": 600,
                "parseMemoryMegabytes": 128,
            },
            "spec.replicas": 1,
        },
    ),
    Case("overlap one less than the default size", {"spec.chunking": {"overlapTokens": 255}}),
    Case("overlap one less than the size", {"spec.chunking": {"maxTokens": 16, "overlapTokens": 15}}),
    Case("a size without an overlap", {"spec.chunking": {"maxTokens": 16}}),
    Case("paused", {"spec.replicas": 0}),
    Case("longest name", {"metadata.name": "a" * 52}),
    Case("brackets in an answer", {"spec.generation.noAnswer": "Nothing [found] in [1"}),
    Case("longest answer, in characters and not bytes", {"spec.generation.noAnswer": "é" * 1000}),
)

RULES = (
    Case("overlap as large as the default size", {"spec.chunking": {"overlapTokens": 256}}, rule=True,
         path="spec.chunking.overlapTokens", message=_OVERLAP),
    Case("overlap as large as the size", {"spec.chunking": {"maxTokens": 64, "overlapTokens": 64}}, rule=True,
         path="spec.chunking.overlapTokens", message=_OVERLAP),
    Case("two copies of an embedded engine", {"spec.replicas": 2}, rule=True,
         path="spec.replicas", message=_REPLICAS),
    Case("an answer that cites", {"spec.generation.noAnswer": "Nothing found [12]."}, rule=True,
         path="spec.generation.noAnswer", message=_NO_ANSWER),
    Case("no word on auth", {"spec.auth": ...}, rule=True, path="spec.auth", message=_AUTH),
    Case("null auth", {"spec.auth": None}, rule=True, path="spec.auth", message=_AUTH),
    Case("empty auth", {"spec.auth": {}}, rule=True, path="spec.auth", message=_AUTH),
    Case("auth required", {"spec.auth": {"required": True}}, rule=True, path="spec.auth", message=_AUTH),
)  # fmt: skip

VALUES = (
    Case("no spec", {"spec": ...}, path="spec",
         message="required, and missing; must be an object with auth, chunking, generation, ingestion, "
                 "replicas, retrieval, vectorStore"),
    Case("no engine", {"spec.vectorStore": ...}, path="spec.vectorStore",
         message="required, and missing; must be an object with adopt, collection, type"),
    Case("no engine type", {"spec.vectorStore": {}}, path="spec.vectorStore.type",
         message='required, and missing; must be "Embedded"'),
    Case("unknown section", {"spec.chunks": {}}, path="spec.chunks",
         message="unknown field; did you mean chunking? allowed: auth, chunking, generation, ingestion, "
                 "replicas, retrieval, vectorStore"),
    Case("unknown field", {"spec.chunking": {"maxTokenz": 5}}, path="spec.chunking.maxTokenz",
         message="unknown field; did you mean maxTokens? allowed: maxTokens, overlapTokens, strategy"),
    Case("unknown field that is null", {"spec.auth.key": None}, path="spec.auth.key",
         message="unknown field; allowed: required"),
    Case("Python's name of a field", {"spec.chunking": {"max_tokens": 64}}, path="spec.chunking.max_tokens",
         message="unknown field; did you mean maxTokens? allowed: maxTokens, overlapTokens, strategy"),
    Case("like nothing", {"spec.retrieval": {"zz": 5}}, path="spec.retrieval.zz",
         message="unknown field; allowed: bm25, mode, query, topK"),
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
    Case("text for an object", {"spec.retrieval": "Sparse"}, path="spec.retrieval",
         message='found "Sparse" (string); must be an object with bm25, mode, query, topK'),
    Case("a list for an object", {"spec.chunking": [{"maxTokens": 5}]}, path="spec.chunking",
         message="found a list; must be an object with maxTokens, overlapTokens, strategy"),
    Case("no such strategy", {"spec.chunking": {"strategy": "Fixed"}}, path="spec.chunking.strategy",
         message=f'found "Fixed"; {_STRATEGIES}'),
    Case("strategy in lower case", {"spec.chunking": {"strategy": "adaptive"}}, path="spec.chunking.strategy",
         message=f'found "adaptive"; did you mean Adaptive? {_STRATEGIES}'),
    Case("a number for a strategy", {"spec.chunking": {"strategy": 5}}, path="spec.chunking.strategy",
         message=f"found 5 (integer); {_STRATEGIES}"),
    Case("an engine to come", {"spec.vectorStore": {"type": "Qdrant"}}, path="spec.vectorStore.type",
         message='found "Qdrant"; must be "Embedded"'),
    Case("capitals in a collection", {"spec.vectorStore.collection": "Team"},
         path="spec.vectorStore.collection", message=f'found "Team"; {_COLLECTION}'),
    Case("a newline after a collection", {"spec.vectorStore.collection": "team\n"},
         path="spec.vectorStore.collection", message=f'found "team\\n"; {_COLLECTION}'),
    Case("name too long", {"metadata.name": "a" * 53}, path="metadata.name",
         message=f'found "{"a" * 53}"; {_NAME}'),
    Case("name with a dot", {"metadata.name": "a.b"}, path="metadata.name", message=f'found "a.b"; {_NAME}'),
    Case("name that starts with a digit", {"metadata.name": "1st"}, path="metadata.name",
         message=f'found "1st"; {_NAME}'),
)  # fmt: skip

CASES = (*VALID, *RULES, *VALUES)
