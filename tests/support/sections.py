"""Valid sections of a specification, and where each of its fields is valid."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Final

Json = dict[str, Any]

SECRET: Final[Json] = {"name": "keys", "key": "token"}
EMBEDDINGS: Final[Mapping[str, Json]] = {
    "FastEmbed": {"type": "FastEmbed", "fastEmbed": {"model": "bge-m3"}},
    "SentenceTransformers": {"type": "SentenceTransformers", "sentenceTransformers": {"model": "bge-m3"}},
    "OpenAI": {"type": "OpenAI", "openAI": {"model": "bge-m3", "apiKeySecretRef": SECRET}},
    "Cohere": {"type": "Cohere", "cohere": {"model": "bge-m3", "apiKeySecretRef": SECRET}},
}
GENERATORS: Final[Mapping[str, Json]] = {
    "Extractive": {"type": "Extractive"},
    "OpenAI": {"type": "OpenAI", "openAI": {"model": "model-c", "apiKeySecretRef": SECRET}},
    "Anthropic": {"type": "Anthropic", "anthropic": {"model": "model-d", "apiKeySecretRef": SECRET}},
}
QDRANT: Final[Json] = {"type": "Qdrant", "qdrant": {"url": "https://qdrant.data:6333"}}

_DENSE: Final[Json] = {"embedding": EMBEDDINGS["FastEmbed"]}
_CHAT: Final[Json] = {"generation": GENERATORS["OpenAI"]}


MODELS: Final[Mapping[str, Json]] = {
    "PersistentVolumeClaim": {
        "type": "PersistentVolumeClaim",
        "persistentVolumeClaim": {"claimName": "models"},
    },
    "Image": {"type": "Image", "image": {"reference": "registry.example/models:1"}},
}
EXPOSURES: Final[Mapping[str, Json]] = {
    "Ingress": {"type": "Ingress", "ingress": {"host": "handbook.example"}},
    "HTTPRoute": {"type": "HTTPRoute", "httpRoute": {"parentRefs": [{"name": "public"}]}},
}
# The embedded engine is one process.
_SCALED: Final[Json] = {"vectorStore": QDRANT, "autoscaling": {}}
_POLICIES: Final = [{"type": "Pods", "value": 4, "periodSeconds": 15}]


def _fallback(type_: str) -> Json:
    return {**_CHAT, "generation.fallbacks": [{"name": "second", **GENERATORS[type_]}]}


# What a field needs beside it, by the start of its path or by its path and value: settings by path, in order.
_SURROUNDINGS: Final[Mapping[str, Json]] = {
    "vectorStore.qdrant": {"vectorStore": QDRANT},
    "vectorStore.type=Qdrant": {"vectorStore": QDRANT},
    "vectorStore.index.hnsw": _DENSE,
    "vectorStore.index.quantization": {**_DENSE, "vectorStore.index.quantization": {"type": "Scalar"}},
    "vectorStore.index.metadata": {"vectorStore.index.metadata": [{"key": "team", "type": "Keyword"}]},
    "embedding": _DENSE,
    "embedding.sentenceTransformers": {"embedding": EMBEDDINGS["SentenceTransformers"]},
    "embedding.openAI": {"embedding": EMBEDDINGS["OpenAI"]},
    "embedding.cohere": {"embedding": EMBEDDINGS["Cohere"]},
    **{f"embedding.type={type_}": {"embedding": section} for type_, section in EMBEDDINGS.items()},
    "retrieval.mode=Dense": _DENSE,
    "retrieval.mode=Hybrid": _DENSE,
    "retrieval.candidates": {**_DENSE, "retrieval.topK": 1},
    "retrieval.fusion": _DENSE,
    "retrieval.fusion.rrf": {**_DENSE, "retrieval.fusion": {"method": "RRF"}},
    "retrieval.fusion.alphaPercent": {**_DENSE, "retrieval.fusion": {"method": "Weighted"}},
    "retrieval.whenEmbeddingFails": _DENSE,
    **{f"generation.type={type_}": {"generation": section} for type_, section in GENERATORS.items()},
    "generation.openAI": _CHAT,
    "generation.anthropic": {"generation": GENERATORS["Anthropic"]},
    "generation.systemPrompt": _CHAT,
    "generation.temperature": _CHAT,
    "generation.maxOutputTokens": _CHAT,
    "generation.language": _CHAT,
    "generation.contextTokens": _CHAT,
    "generation.tokenizerPath": _CHAT,
    "generation.fallbacks": _fallback("Extractive"),
    "generation.fallbacks[0].openAI": _fallback("OpenAI"),
    "generation.fallbacks[0].anthropic": _fallback("Anthropic"),
    **{f"generation.fallbacks[0].type={type_}": _fallback(type_) for type_ in GENERATORS},
    "auth.apiKeys": {"auth": {"required": True}},
    **{f"runtime.models.type={type_}": {"runtime.models": section} for type_, section in MODELS.items()},
    "runtime.models.persistentVolumeClaim": {"runtime.models": MODELS["PersistentVolumeClaim"]},
    "runtime.models.image": {"runtime.models": MODELS["Image"]},
    "runtime.tolerations": {"runtime.tolerations": [{"key": "dedicated"}]},
    "runtime.tolerations[0].key": {"runtime.tolerations": [{"operator": "Exists"}]},
    "runtime.tolerations[0].tolerationSeconds": {"runtime.tolerations[0].effect": "NoExecute"},
    "runtime.env": {"runtime.env": [{"name": "HTTPS_PROXY"}]},
    "runtime.env[0].name": {"runtime.env": [{"value": "http://proxy:3128"}]},
    "runtime.caBundle": {"runtime.caBundle": {"configMapName": "authorities", "key": "ca.crt"}},
    "autoscaling": _SCALED,
    "autoscaling.metrics": {"autoscaling.metrics": [{"name": "requests", "averageValue": "100"}]},
    "autoscaling.behavior.scaleUp.policies": {"autoscaling.behavior.scaleUp.policies": _POLICIES},
    "autoscaling.behavior.scaleDown.policies": {"autoscaling.behavior.scaleDown.policies": _POLICIES},
    **{f"exposure.type={type_}": {"exposure": section} for type_, section in EXPOSURES.items()},
    "exposure.ingress": {"exposure": EXPOSURES["Ingress"]},
    "exposure.httpRoute": {"exposure": EXPOSURES["HTTPRoute"]},
    "networkPolicy.egress[0].ports": {"networkPolicy.egress": [{"cidr": "10.0.0.0/8"}]},
}
# Two valid texts where "a" isn't one.
_TEXTS: Final[Mapping[str, list[Any]]] = {
    ".url": ["https://a.example", "https://b.example/v1"],
    ".baseURL": ["https://a.example", "http://[::1]:8080/v1/"],
    ".temperature": ["0", "1.25"],
    ".language": ["French", "German"],
    ".size": ["1Gi", "2.5Ti"],
    ".averageValue": ["100", "250m"],
    ".cidr": ["10.0.0.0/8", "2001:db8::/32"],
}
_AMOUNTS: Final = [{"cpu": "2"}, {"cpu": "2", "memory": "4Gi"}]
_PAIRS: Final = [{"example.com/team": "a"}, {"example.com/team": "b", "tier": ""}]
_SECRET_REF: Final = re.compile(r"(?P<ref>.*\.(?:\w+SecretRef|secretKeyRef))\.(name|key)")
_STEP: Final = re.compile(r"(?P<name>[^.\[\]]+)(?:\[(?P<position>\d+)\])?")


def leaves(schema: Json, path: str = "") -> Iterator[tuple[str, Json]]:
    """Path and schema of every field without fields of its own; of lists, those of their first item."""
    if "properties" in schema:
        for name, child in schema["properties"].items():
            yield from leaves(child, f"{path}.{name}" if path else name)
    elif schema["type"] == "array":
        yield from leaves(schema["items"], f"{path}[0]")
    else:
        yield path, schema


def valid_values(path: str, node: Json) -> list[Any]:
    """Every value of a choice, and two valid values of anything else."""
    if "enum" in node:
        return list(node["enum"])
    if node["type"] == "integer":
        return [node["minimum"], node["minimum"] + 1]
    if node["type"] == "boolean":
        return [False, True]
    if node["type"] == "object":
        return copy.deepcopy(_AMOUNTS if path.startswith("runtime.resources.") else _PAIRS)
    return next((texts for end, texts in _TEXTS.items() if path.endswith(end)), ["a", "b"])


def around(path: str, value: Any) -> Json:
    """The settings that make a leaf of the specification valid, and the leaf itself; paths from ``spec``."""
    keys = [path[: found.start()] for found in re.finditer(r"[.\[]", path)] + [path, f"{path}={value}"]
    settings: Json = {}
    for key in keys:
        settings |= _SURROUNDINGS.get(key, {})
    if found := _SECRET_REF.fullmatch(path):
        settings[found["ref"]] = SECRET
    # Setting the type alone would leave the section of the other type in place.
    if f"{path}={value}" in _SURROUNDINGS and path.endswith(".type"):
        return settings
    return {**settings, path: value}


def put(root: Json, path: str, value: Any) -> None:
    """Set what is at a path such as ``a.b[0].c``, making what is missing above; ``...`` takes it away.

    The position after a list's last item adds one.
    """
    steps: list[str | int] = []
    for found in _STEP.finditer(path):
        steps.append(found["name"])
        if found["position"] is not None:
            steps.append(int(found["position"]))
    parent: Any = root
    for step, below in pairwise(steps):
        if isinstance(step, str):
            parent = parent.setdefault(step, [] if isinstance(below, int) else {})
        else:
            parent = _item(parent, step)
    last = steps[-1]
    if value is ...:
        del parent[last]
    elif isinstance(last, int) and last == len(parent):
        parent.append(copy.deepcopy(value))
    else:
        parent[last] = copy.deepcopy(value)


def _item(items: list[Any], position: int) -> Any:
    if position == len(items):
        items.append({})
    return items[position]
