"""The revision that people ask for: by a pin, else by the specification."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ragfleet_api.config.versions import CURRENT_VERSION, ConfigVersionError
from ragfleet_operator.model import Observation, Pipeline, Revision, Revisions, Settings
from ragfleet_operator.render.revision import named_image, rendered
from ragfleet_operator.revisions.candidate import candidate
from ragfleet_operator.revisions.live import deployment_of, running
from ragfleet_operator.revisions.pin import pin_of, pinned
from ragfleet_operator.revisions.stored import Stored
from ragfleet_operator.text import one_line

_MAX_PIN: Final = 63


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for. current: what runs, None where nothing is kept of it.

    by_spec: whether the specification alone asks for it. pin: the annotation that does. unknown_pin: what is
    pinned and isn't kept. stays, refusal: see Plan.
    """

    revision: Revision
    current: Revision | None
    by_spec: bool = False
    pin: str = ""
    unknown_pin: str = ""
    stays: bool = False
    refusal: str = ""


def asked_for(
    pipeline: Pipeline, settings: Settings, seen: Observation, known: Stored, before: Revisions
) -> Asked:
    """What is asked for. before: what was remembered."""
    # The Deployment knows better than a status, which may be lost or of the moment before.
    current: Revision | None = known.get(running(pipeline, seen)) or known.get(before.current)
    rejected = None if before.rejected is None else known.get(before.rejected.revision)
    pin = pinned(pipeline)
    if pin in known:
        return Asked(known[pin], current, pin=pin_of(pipeline))
    unknown = one_line(pin, _MAX_PIN)
    if unknown and current is not None:
        return Asked(current, current, unknown_pin=unknown)
    stays = bool(unknown) and deployment_of(pipeline, seen) is not None
    try:
        found = candidate(pipeline, settings, current, known, rejected)
    except ConfigVersionError as error:
        if current is not None:
            return Asked(current, current, refusal=one_line(str(error)))
        image = named_image(pipeline) or settings.image
        found = rendered(pipeline, settings, image, CURRENT_VERSION, known.next_number)
    return Asked(found, current, by_spec=True, unknown_pin=unknown, stays=stays)
