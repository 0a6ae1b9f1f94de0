"""The corpus in the service: what is missing is added, and what was added is taken away again."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ragfleet_cli.apart import post_apart
from ragfleet_cli.bounded import finished, for_each
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.evaluate.dataset import CorpusDocument
from ragfleet_cli.progress import Advance

CONCURRENCY: Final = 4
BATCH_DOCUMENTS: Final = 256
BATCH_CHARACTERS: Final = 2**20
SETTLE_SECONDS: Final = 600.0
_POLL_SECONDS: Final = 0.1
# As much as a service takes in before it has looked at the key.
_UNASKED_CHARACTERS: Final = 2**14


@dataclass(slots=True)
class Loaded:
    """What became of the corpus.

    present: ids of the corpus that the service had before. others: how many documents it has besides.
    added: ids that may be there only because of this run. failures: id to reason.
    """

    present: set[str] = field(default_factory=set)
    others: int = 0
    added: set[str] = field(default_factory=set)
    failures: dict[str, str] = field(default_factory=dict)


class Corpus:
    """The documents of a collection, in one service."""

    def __init__(self, client: ServiceClient, documents: Sequence[CorpusDocument]) -> None:
        self._client = client
        self._documents = documents
        self._posts: Counter[str] = Counter()  # how often each document was sent
        self.loaded = Loaded()

    async def add_missing(self, advance: Advance) -> None:
        """Ingest the documents whose ids the service doesn't know. Raises CliError."""
        known = await self._client.document_ids()
        self.loaded.present = {document.id for document in self._documents if document.id in known}
        self.loaded.others = len(known) - len(self.loaded.present)
        advance(len(self.loaded.present))
        missing = [document for document in self._documents if document.id not in known]

        def record(document: CorpusDocument, outcome: dict[str, Any]) -> None:
            advance(1)
            status = outcome.get("status")
            if status not in ("indexed", "unchanged"):
                self.loaded.failures[document.id] = str(outcome.get("error"))
                self.loaded.added.discard(document.id)
            elif status == "unchanged" and self._posts[document.id] == 1:
                self.loaded.added.discard(document.id)  # somebody else was quicker, so it is theirs

        if sum(len(document.text) for document in missing) > _UNASKED_CHARACTERS:
            await self._client.require_ingest()
        # One batch after the other: the order can tell in the weights, and with it in the figures.
        for batch in _batches(missing):
            self.loaded.added.update(document.id for document in batch)
            # Cut off, the service could still add the batch after the clean-up.
            await finished(post_apart(self._client, batch, self._post, record))

    async def settle(self) -> bool:
        """Wait until the index is in order; whether it was within SETTLE_SECONDS."""
        end = time.monotonic() + SETTLE_SECONDS
        while not await self._client.is_settled():
            if time.monotonic() > end:
                return False
            await asyncio.sleep(_POLL_SECONDS)
        return True

    async def remove_added(self) -> None:
        """Delete what ``add_missing`` added, and nothing else."""
        await for_each(self._client.delete, sorted(self.loaded.added), CONCURRENCY)
        self.loaded.added.clear()

    async def _post(self, documents: Sequence[CorpusDocument]) -> list[dict[str, Any]]:
        self._posts.update(document.id for document in documents)
        return await self._client.ingest_texts(
            [
                {"id": document.id, "text": document.text, "title": document.title or None}
                for document in documents
            ]
        )


def _batches(documents: Sequence[CorpusDocument]) -> Iterator[list[CorpusDocument]]:
    batch: list[CorpusDocument] = []
    size = 0
    for document in documents:
        if batch and (len(batch) == BATCH_DOCUMENTS or size + len(document.text) > BATCH_CHARACTERS):
            yield batch
            batch, size = [], 0
        batch.append(document)
        size += len(document.text)
    if batch:
        yield batch
