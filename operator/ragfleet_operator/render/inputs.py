"""All that rendering is a function of, as one value with an identity."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_operator.kinds import OPTIONAL, SECRET, Kind
from ragfleet_operator.model import Child, Key, Object, Observation, Pipeline, Ref, Revision, Settings
from ragfleet_operator.render.all import render
from ragfleet_operator.render.concern import as_json

_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class Inputs:
    """What children are rendered from, but for the keys of new Secrets.

    Nothing else reaches ``render`` by ``children``: what isn't a field here can't be in what was rendered.
    kinds: of the optional ones, those that the cluster has. The rest: see ``render``.
    """

    key: Key
    uid: str
    spec: RAGPipelineSpec
    settings: Settings
    kinds: frozenset[Kind]
    revision: Revision
    secrets_digest: str = ""
    rotated_at: str = ""

    def digest(self) -> bytes:
        """Identity of the value: 16 bytes of the SHA-256 of all its fields."""
        # Takes a dataclass's fields by itself, so that none can be forgotten.
        text = orjson.dumps(self, default=_plain, option=orjson.OPT_SORT_KEYS)
        return hashlib.sha256(text).digest()[:_BYTES]

    def children(self, there: Mapping[Ref, Object], new_secret: Callable[[], str]) -> tuple[Child, ...]:
        """The children. there: what there is, of which only the places of Secrets count; see ``render``."""
        return render(
            Pipeline(self.key, self.uid, 0, self.spec),
            self.settings,
            Observation(children={ref: {} for ref in there if ref.kind == SECRET}, kinds=self.kinds),
            new_secret=new_secret,
            revision=self.revision,
            secrets_digest=self.secrets_digest,
            rotated_at=self.rotated_at,
        )


def inputs_of(
    pipeline: Pipeline,
    settings: Settings,
    kinds: frozenset[Kind],
    revision: Revision,
    secrets_digest: str = "",
    rotated_at: str = "",
) -> Inputs:
    """What a pipeline's children are rendered from. kinds: those that the cluster has."""
    return Inputs(
        key=pipeline.key,
        uid=pipeline.uid,
        spec=pipeline.spec,
        settings=settings,
        kinds=kinds & OPTIONAL,
        revision=revision,
        secrets_digest=secrets_digest,
        rotated_at=rotated_at,
    )


def _plain(value: object) -> Any:
    if isinstance(value, RAGPipelineSpec):
        return as_json(value)
    if isinstance(value, frozenset):
        return sorted(value)
    if isinstance(value, Key):
        return list(value)
    raise TypeError(f"no field of what is rendered from may be a {type(value).__name__}")
