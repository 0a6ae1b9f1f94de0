"""The revisions that are kept of a pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from ragfleet_operator import names
from ragfleet_operator.kinds import CONTROLLER_REVISION
from ragfleet_operator.model import Object, Observation, Pipeline, Revision, is_owned

_NAME: Final = re.compile(r".+-([0-9a-f]{10})")


class _Kept(BaseModel):
    """Part of what a ControllerRevision holds; more of it, by another operator, is passed over."""

    model_config = ConfigDict(strict=True, alias_generator=to_camel)


class _Metadata(_Kept):
    labels: dict[str, str]
    annotations: dict[str, str]


class _Template(_Kept):
    metadata: _Metadata
    spec: dict[str, Any]


class _Data(_Kept):
    spec: dict[str, Any]
    template: dict[str, Any]
    config: str
    config_version: int
    image: Annotated[str, Field(min_length=1)]
    names_image: bool


class Stored(Mapping[str, Revision]):
    """Revisions by id, each read only when it is asked for; what can't be read isn't there.

    objects: ControllerRevisions by id.
    """

    def __init__(self, objects: Mapping[str, Object]) -> None:
        self._objects = objects
        self._read: dict[str, Revision | None] = {}

    def __getitem__(self, revision: str) -> Revision:
        """Raise KeyError for one that isn't there or can't be read."""
        if revision not in self._read:
            self._read[revision] = read(self._objects[revision])
        found = self._read[revision]
        if found is None:
            raise KeyError(revision)
        return found

    def __iter__(self) -> Iterator[str]:
        return (revision for revision in self._objects if revision in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def newest(self) -> tuple[str, ...]:
        """The ids by number, the highest first; those that can't be read too."""
        return tuple(
            sorted(self._objects, key=lambda id_: (number_of(self._objects[id_]), id_), reverse=True)
        )

    @property
    def next_number(self) -> int:
        """The number of a revision to come."""
        return 1 + max(map(number_of, self._objects.values()), default=0)

    def of_input(self, digest: str) -> Iterator[Revision]:
        """Those rendered from an input, the newest first."""
        for revision in self.newest:
            annotations = self._objects[revision]["metadata"].get("annotations") or {}
            found = self.get(revision) if annotations.get(names.INPUT_ANNOTATION) == digest else None
            if found is not None:
                yield found


def stored(seen: Observation, pipeline: Pipeline) -> Stored:
    """The revisions that are kept of a pipeline. Others' aren't looked at, nor those being deleted."""
    objects = {}
    for ref, obj in seen.children.items():
        if ref.kind != CONTROLLER_REVISION or not is_owned(obj, pipeline.uid):
            continue
        revision = id_of_name(ref.name)
        is_its_own = ref.name == names.controller_revision(pipeline.key.name, revision)
        if is_its_own and "deletionTimestamp" not in obj["metadata"]:
            objects[revision] = obj
    return Stored(objects)


def read(obj: Object) -> Revision | None:
    """The revision that a ControllerRevision keeps, None where it can't be read."""
    metadata, data = obj.get("metadata") or {}, obj.get("data")
    revision = id_of_name(str(metadata.get("name", "")))
    if not revision:
        return None
    try:
        kept = _Data.model_validate(data)
        _Template.model_validate(kept.template)
    except ValidationError:
        return None
    return Revision(
        id=revision,
        number=number_of(obj),
        input=str((metadata.get("annotations") or {}).get(names.INPUT_ANNOTATION, "")),
        spec=kept.spec,
        template=kept.template,
        config=kept.config,
        config_version=kept.config_version,
        image=kept.image,
        names_image=kept.names_image,
    )


def number_of(obj: Object) -> int:
    """The number of a ControllerRevision, 0 where it has none."""
    number = obj.get("revision")
    return number if isinstance(number, int) else 0


def id_of_name(name: str) -> str:
    """The id in a ControllerRevision's name, "" where there is none.

    The name can't be changed, as the label can.
    """
    found = _NAME.fullmatch(name)
    return "" if found is None else found[1]
