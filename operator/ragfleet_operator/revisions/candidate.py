"""The revision that a specification asks for."""

from __future__ import annotations

from dataclasses import replace

from pydantic import ValidationError

from ragfleet_api.config.versions import CURRENT_VERSION, ConfigVersionError
from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_api.spec.runtime import Runtime
from ragfleet_operator.model import Pipeline, Revision, Settings
from ragfleet_operator.render.concern import input_of
from ragfleet_operator.render.revision import named_image, rendered
from ragfleet_operator.revisions.stored import Stored


def candidate(
    pipeline: Pipeline,
    settings: Settings,
    current: Revision | None,
    known: Stored,
    rejected: Revision | None = None,
) -> Revision:
    """The revision that the specification asks for: one that is kept, where there is one.

    With the policy Pinned, an operator that renders otherwise than the one before it makes no other revision:
    it has to be the specification that changed. current: what runs; rejected: what was rolled back.

    Raises ConfigVersionError where the image needs a form of its configuration that can't be written.
    """
    relevant = [revision for revision in (current, rejected) if revision is not None]
    with_operator = (pipeline.spec.runtime or Runtime()).upgrade_policy == "WithOperator"
    image = named_image(pipeline) or (settings.image if with_operator else _kept_image(relevant, settings))
    asked = input_of(pipeline, settings, image)
    if not with_operator:
        found = _of_input(asked, relevant, known)
        if found is not None:
            return found
    version = _version(image, known)
    made = rendered(pipeline, settings, image, version, known.next_number, input_=asked)
    if made.id not in {revision.id for revision in relevant} and not with_operator:
        for revision in relevant:
            if revision.image == image and _again(pipeline, settings, revision, version) == made.id:
                return revision
    return known.get(made.id) or made


def _kept_image(relevant: list[Revision], settings: Settings) -> str:
    return next((revision.image for revision in relevant if not revision.names_image), settings.image)


def _of_input(digest: str, relevant: list[Revision], known: Stored) -> Revision | None:
    """One rendered from that input: what runs rather than another."""
    found = next((revision for revision in relevant if revision.input == digest), None)
    return found or next(known.of_input(digest), None)


def _version(image: str, known: Stored) -> int:
    """The form of the configuration that an image is known to read, else the newest."""
    kept = (known.get(revision) for revision in known.newest)
    versions = (revision.config_version for revision in kept if revision and revision.image == image)
    return next(versions, CURRENT_VERSION)


def _again(pipeline: Pipeline, settings: Settings, revision: Revision, version: int) -> str:
    """The id that this operator would give to what a kept specification asks for, "" where it can't.

    It is that of the specification of now where the two differ in nothing that pods are made of, as where a
    default is written out.
    """
    try:
        spec = RAGPipelineSpec.model_validate(revision.spec, by_name=False)
        then = replace(pipeline, spec=spec)
        return rendered(then, settings, revision.image, version, revision.number).id
    except (ValidationError, ConfigVersionError):
        return ""
