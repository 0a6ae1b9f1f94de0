"""What is kept of a revision."""

from __future__ import annotations

from ragfleet_operator import names
from ragfleet_operator.kinds import CONTROLLER_REVISION
from ragfleet_operator.model import Child, Pipeline, Revision, Way
from ragfleet_operator.render.parts import child


def controller_revision(pipeline: Pipeline, revision: Revision) -> Child:
    """The ControllerRevision of a revision. The API server lets nobody change what it holds."""
    body = {
        "revision": revision.number,
        "data": {
            "spec": revision.spec,
            "template": revision.template,
            "config": revision.config,
            "configVersion": revision.config_version,
            "image": revision.image,
            "namesImage": revision.names_image,
        },
    }
    return child(
        CONTROLLER_REVISION,
        pipeline,
        body,
        name=names.controller_revision(pipeline.key.name, revision.id),
        labels={names.REVISION_LABEL: revision.id},
        annotations={names.INPUT_ANNOTATION: revision.input},
        way=Way.ENSURED,
    )
