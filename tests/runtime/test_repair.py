"""Repair at the start, from the originals."""

from __future__ import annotations

from pathlib import Path

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.compose import open_runtime
from ragfleet_runtime.index.documents import DEFAULT_TENANT, Key
from ragfleet_runtime.index.engine import point_ids
from ragfleet_runtime.ingest.model import TextDocument
from ragfleet_runtime.secrets_files import GivenSecrets
from support.searching import search

pytestmark = pytest.mark.anyio


async def test_documents_with_missing_chunks_are_indexed_again(config: RuntimeConfig, tmp_path: Path) -> None:
    text = "# One\n\nA weir.\n\n# Two\n\nA second weir."
    async with open_runtime(config, tmp_path, GivenSecrets({})) as runtime:
        report = await runtime.ingester.ingest([TextDocument("a", text, "Weirs", {"team": "x"})])
        assert report.outcomes[0].chunks == 2
        document = await runtime.collection.store.get(Key(DEFAULT_TENANT, "a"))
        assert document is not None
        before = await search(runtime.collection, "weir", 5)
        await runtime.collection.engine.delete(point_ids(document.revision, 2)[:1])
        assert len(await search(runtime.collection, "weir", 5)) == 1
    async with open_runtime(config, tmp_path, GivenSecrets({})) as runtime:
        after = await search(runtime.collection, "weir", 5)
        assert [h.passage._replace(revision="") for h in after] == [
            h.passage._replace(revision="") for h in before
        ]
        # Nothing of what it was sent with is forgotten: sent again, it is unchanged.
        again = await runtime.ingester.ingest([TextDocument("a", text, "Weirs", {"team": "x"})])
        assert again.outcomes[0].status == "unchanged"
