"""How kopf is set up: it watches, and writes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import kopf

from ragfleet_operator.sources import Source


class Timing(NamedTuple):
    """Seconds of a watch.

    server: after which it is opened again; silence: without even a bookmark, of which
    the API server sends one a minute, after which it is too; refused: between questions for what isn't there
    or may not be read; absent_pipelines: the same for the definition of RAGPipeline, which people wait for.
    """

    connect: float = 10.0
    server: int = 120
    silence: float = 90.0
    refused: float = 10.0
    absent_pipelines: float = 2.0

    @property
    def dead(self) -> float:
        """Without any sign of life, the watch isn't working, nor the program that should open it again."""
        return self.server + self.silence


class NothingToCompare(kopf.DiffBaseStorage):
    """Keeps no last state of an object: comparing is the engine's work."""

    def build(self, *, body: kopf.Body, extra_fields: Iterable[Any] | None = None) -> kopf.BodyEssence:
        """Nothing of it."""
        return kopf.BodyEssence()

    def fetch(self, *, body: kopf.Body) -> kopf.BodyEssence | None:
        """Nothing was stored."""
        return None

    def store(self, *, body: kopf.Body, patch: kopf.Patch, essence: kopf.BodyEssence) -> None:
        """Store nothing."""


class NoProgress(kopf.ProgressStorage):
    """Keeps no progress of handlers with an object: ours have none."""

    def fetch(self, *, key: Any, body: kopf.Body) -> None:
        """Nothing was stored."""

    def store(self, *, key: Any, record: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """Store nothing."""

    def purge(self, *, key: Any, body: kopf.Body, patch: kopf.Patch) -> None:
        """There is nothing to remove."""

    def touch(self, *, body: kopf.Body, patch: kopf.Patch, value: str | None) -> None:
        """Touch nothing."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        """There is nothing in it."""
        return essence


def kopf_settings(source: Source, timing: Timing) -> kopf.OperatorSettings:
    """Settings of a kopf that watches one kind and shares its process and its loop with others."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    settings.persistence.diffbase_storage = NothingToCompare()
    settings.persistence.progress_storage = NoProgress()
    # We look for the kind and for namespaces ourselves: that needs no cluster-wide permission.
    settings.scanning.disabled = True
    # Would kill the whole process ten minutes after one of its parts was started again.
    settings.process.ultimate_exiting_timeout = None
    settings.queueing.idle_timeout = 1.0
    if source.selector:
        settings.watching.label_selectors[source.kind.group, source.kind.version, source.kind.plural] = (
            source.selector
        )
    settings.watching.server_timeout = timing.server
    settings.watching.connect_timeout = timing.connect
    settings.watching.inactivity_timeout = timing.silence
    # Between an expired watch and the list that follows: on a server that expires each, no storm.
    settings.watching.reconnect_backoff = 1.0
    settings.watching.client_timeout = timing.server + timing.silence
    settings.networking.connect_timeout = timing.connect
    settings.networking.request_timeout = timing.silence
    # After these it gives up, and is started again once the API server answers.
    settings.networking.error_backoffs = (0.2, 0.5, 1, 2, 4)
    return settings
