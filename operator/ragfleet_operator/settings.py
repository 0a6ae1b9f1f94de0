"""How kopf is set up: it watches, and writes nothing."""

from __future__ import annotations

from typing import Final, NamedTuple

import kopf

from ragfleet_operator.sources import Source

# Objects on a page of a list: a page is decoded and taken as a whole, and all else waits for that.
_PAGE: Final = 250


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


def kopf_settings(source: Source, timing: Timing) -> kopf.OperatorSettings:
    """Settings of a kopf that watches one kind and shares its process and its loop with others."""
    settings = kopf.OperatorSettings()
    settings.posting.enabled = False
    settings.peering.standalone = True
    # We look for the kind and for namespaces ourselves: that needs no cluster-wide permission.
    settings.scanning.disabled = True
    # Would kill the whole process ten minutes after one of its parts was started again.
    settings.process.ultimate_exiting_timeout = None
    if source.selector:
        settings.watching.label_selectors[source.kind.group, source.kind.version, source.kind.plural] = (
            source.selector
        )
    settings.watching.chunk_size = _PAGE
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
