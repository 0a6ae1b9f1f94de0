"""Whose collection it is and what its vectors were made with: kept with it, and checked before it is used."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Protocol

from ragfleet_api.config.canonical import canonical_json
from ragfleet_api.config.fingerprints import query_fingerprint, query_settings
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_runtime.embed.model import Vector
from ragfleet_runtime.errors import StartError

OWNER = "owner"
SETTINGS = "query_settings"
_FINGERPRINT = "query_fingerprint"
_PROBE = "embedding_probe"
# Quantised models answer differently by a hair for other processors and batches (measured: 0.985 and up);
# two models, or two versions of one, agree by chance alone.
_SAME_MODEL = 0.95


class Settings(Protocol):
    """What a collection's notes are kept in; every DocumentStore is one."""

    async def get_setting(self, name: str) -> str | None:
        """A setting kept with the collection."""

    async def put_settings(self, settings: Mapping[str, str]) -> None:
        """Keep settings with the collection, all at once."""


async def claim(store: Settings, config: RuntimeConfig, probe: Vector | None) -> None:
    """Check that the collection is this pipeline's and made with its settings; a new one becomes so.

    probe: the vector of ``embed.model.PROBE`` by the pipeline's model, None without an embedding.

    Raises StartError for another owner's collection (unless the configuration adopts it), for one whose
    vectors were made with other settings, and for a model that isn't the one of its name that made them.
    """
    mine = owner_note(config)
    fingerprint = query_fingerprint(config.retrieval.sparse, config.embedding)
    settings = canonical_json(query_settings(config.retrieval.sparse, config.embedding))
    found = await store.get_setting(OWNER)
    if found is None:
        note = {} if probe is None else {_PROBE: json.dumps(probe)}
        await store.put_settings({OWNER: mine, _FINGERPRINT: fingerprint, SETTINGS: settings, **note})
        return
    if await store.get_setting(_FINGERPRINT) != fingerprint:
        raise other_settings(config, config.store.collection, await store.get_setting(SETTINGS))
    if found != mine and not config.store.adopt:
        raise StartError(
            f"the collection {config.store.collection} belongs to {_name(found)}, not to {_name(mine)}: "
            "choose another collection name or data folder, or take it over with spec.vectorStore.adopt"
        )
    if probe is not None:
        _check_model(config, probe, await store.get_setting(_PROBE))
    if found != mine:
        await store.put_settings({OWNER: mine})


def owner_note(config: RuntimeConfig) -> str:
    """The pipeline's identity as it is kept with its collection."""
    return canonical_json(config.owner.model_dump(mode="json", by_alias=True))


def other_settings(config: RuntimeConfig, collection: str, settings: str | None) -> StartError:
    """The error of a pipeline whose documents are in an index of other settings."""
    return StartError(
        f"the documents of {config.owner.namespace}/{config.owner.name} are in the collection {collection}, "
        f"whose index was built with {settings or 'other settings'}: change the manifest back, "
        "or ingest again into another collection or data folder (--data)"
    )


def _check_model(config: RuntimeConfig, probe: Vector, note: str | None) -> None:
    if note is None or config.embedding is None:
        return
    before: Vector = json.loads(note)
    if len(before) != len(probe):
        told = f"has {len(probe)} dimensions, the index {len(before)}"
    elif (likeness := _cosine(before, probe)) < _SAME_MODEL:
        told = f"gives other vectors for the same text (cosine {likeness:.2f})"
    else:
        return
    raise StartError(
        f"the embedding model {config.embedding.provider.model} isn't the one that the collection "
        f"{config.store.collection} was built with: it {told}; bring that model back, or ingest again into "
        "another collection"
    )


def _cosine(one: Sequence[float], other: Sequence[float]) -> float:
    size = math.hypot(*one) * math.hypot(*other)
    return sum(a * b for a, b in zip(one, other, strict=True)) / size if size else 0.0


def _name(owner: str) -> str:
    found = Owner.model_validate(json.loads(owner))
    return f"{found.namespace}/{found.name} of cluster {found.cluster}"
