"""What kopf reads in the place of the API server's answers: the same without objects.

A stand-in has what is called of an answer's content: ``iter_chunked`` by kopf for a watch (1.45, in
``iter_jsonlines``), ``read`` by aiohttp's ``json()`` for a list, and ``exception`` and ``set_exception`` by
aiohttp where an answer is closed. Anything else raises AttributeError: the watch is lost then, not silent.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Final, cast

import aiohttp

from ragfleet_operator.listing import Listing
from ragfleet_operator.stream import EventReader

# Some events: the rest of the program waits no longer than these take.
_CHUNK_BYTES: Final = 2**16


class _Content:
    def __init__(self, inner: aiohttp.StreamReader) -> None:
        self._inner = inner

    def exception(self) -> BaseException | None:
        """See aiohttp.StreamReader."""
        return self._inner.exception()

    def set_exception(self, error: BaseException) -> None:
        """See aiohttp.StreamReader: who waits for bytes is told so."""
        self._inner.set_exception(error)


class _WatchContent(_Content):
    def __init__(self, inner: aiohttp.StreamReader, reader: EventReader, heard: Callable[[], None]) -> None:
        super().__init__(inner)
        self._reader = reader
        self._heard = heard

    async def iter_chunked(self, _size: int) -> AsyncIterator[bytes]:
        """Lines for kopf, after their objects were taken."""
        async for chunk in self._inner.iter_chunked(_CHUNK_BYTES):
            told = self._reader.feed(chunk)
            if told:
                self._heard()
                yield told
        told = self._reader.end()
        if told:
            yield told


class _ListContent(_Content):
    def __init__(self, inner: aiohttp.StreamReader, listing: Listing) -> None:
        super().__init__(inner)
        self._listing = listing

    async def read(self) -> bytes:
        """A page for kopf, after its objects were taken."""
        return self._listing.page(await self._inner.read())


def take_watch(answer: aiohttp.ClientResponse, reader: EventReader, heard: Callable[[], None]) -> None:
    """Have the events of a watch's answer taken while kopf reads it. heard: called at each sign of life."""
    answer.content = cast(aiohttp.StreamReader, _WatchContent(answer.content, reader, heard))


def take_page(answer: aiohttp.ClientResponse, listing: Listing) -> None:
    """Have the objects of a list's page taken when kopf reads it."""
    answer.content = cast(aiohttp.StreamReader, _ListContent(answer.content, listing))
