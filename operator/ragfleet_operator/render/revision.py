"""Renders what pods are made of."""

from __future__ import annotations

import hashlib
from typing import Final

from ragfleet_api.config.canonical import canonical_json
from ragfleet_api.config.versions import render_config
from ragfleet_api.spec.runtime import Runtime
from ragfleet_operator.model import Object, Pipeline, Revision, Settings
from ragfleet_operator.render.concern import as_json, input_of
from ragfleet_operator.render.config import config_of
from ragfleet_operator.render.config_map import digest_of
from ragfleet_operator.render.pod import pod_template

_DIGITS: Final = 10


def rendered(
    pipeline: Pipeline,
    settings: Settings,
    image: str,
    config_version: int,
    number: int,
    *,
    input_: str = "",
) -> Revision:
    """The revision that a pipeline's specification asks for, as this operator renders it.

    image: of the service; config_version: the form of its configuration. input_: ``input_of`` the same, where
    it is known. Raises ConfigVersionError.
    """
    config = config_of(pipeline, settings)
    text = render_config(config, config_version)
    template = pod_template(pipeline, config, image, digest_of(text))
    return Revision(
        id=id_of(template),
        number=number,
        input=input_ or input_of(pipeline, settings, image),
        spec=as_json(pipeline.spec),
        template=template,
        config=text,
        config_version=config_version,
        image=image,
        names_image=named_image(pipeline) is not None,
    )


def named_image(pipeline: Pipeline) -> str | None:
    """The image that the specification names, None where it leaves that to the operator."""
    return (pipeline.spec.runtime or Runtime()).image


def id_of(template: Object) -> str:
    """Identity of a pod template: the first ten hex digits of its SHA-256."""
    return hashlib.sha256(canonical_json(template).encode()).hexdigest()[:_DIGITS]
