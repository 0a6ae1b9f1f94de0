"""Secrets that are made once and never looked into again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from ragfleet_api.config.runtime import AuthConfig
from ragfleet_operator import names
from ragfleet_operator.kinds import SECRET
from ragfleet_operator.model import Child, Observation, Pipeline, Ref, Way
from ragfleet_operator.render.parts import child, some

ADMIN_TOKEN: Final = "token"  # noqa: S105 - the name of an entry
# As the service names the keys that it makes on a laptop: NAME.ROLE.
KEY_ENTRIES: Final = ("default.query", "default.ingest", "default.admin")


def secrets(
    pipeline: Pipeline, auth: AuthConfig, seen: Observation, new_secret: Callable[[], str]
) -> tuple[Child, ...]:
    """The token of the admin port, and the API keys where the pipeline asks for some to be made.

    new_secret: a new value; it is asked only for a Secret that isn't there. One that is has no values here.
    """
    wanted: dict[str, tuple[str, ...]] = {names.admin_secret(pipeline.key.name): (ADMIN_TOKEN,)}
    if auth.generate:
        wanted[auth.secret] = KEY_ENTRIES
    return tuple(_secret(pipeline, name, wanted[name], seen, new_secret) for name in sorted(wanted))


def _secret(
    pipeline: Pipeline, name: str, entries: tuple[str, ...], seen: Observation, new_secret: Callable[[], str]
) -> Child:
    is_new = Ref(SECRET, name) not in seen.children
    values = {entry: new_secret() for entry in entries} if is_new else {}
    body = {"type": "Opaque", **some(stringData=values)}
    return child(SECRET, pipeline, body, name=name, way=Way.ENSURED)
