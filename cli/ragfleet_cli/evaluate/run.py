"""The work of ``ragfleet evaluate``: corpus in, questions asked, rankings measured."""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_cli.answers import RefusedError
from ragfleet_cli.bounded import for_each
from ragfleet_cli.client import ServiceClient
from ragfleet_cli.errors import CliError
from ragfleet_cli.evaluate.corpus import CONCURRENCY, Corpus, Loaded
from ragfleet_cli.evaluate.dataset import Dataset
from ragfleet_cli.output import note, one_line
from ragfleet_cli.progress import Advance, progress
from ragfleet_runtime.secrets import SecretSource


@dataclass(frozen=True, slots=True)
class Run:
    """What came out.

    rankings: question id to document ids, best first. mode: the retrieval mode that answered.
    seconds: for ingestion, for the searches, and in all.
    """

    rankings: Mapping[str, list[str]]
    mode: str
    loaded: Loaded
    ingest_seconds: float
    search_seconds: float
    seconds: float


@asynccontextmanager
async def in_process(
    config: RuntimeConfig, data_dir: Path | None, secrets: SecretSource
) -> AsyncIterator[ServiceClient]:
    """A client of the pipeline's service, which runs in this process and listens on no port.

    data_dir: where its data is kept; without one it goes to a temporary folder and away. Raises CliError.
    """
    from ragfleet_runtime.compose import open_runtime  # noqa: PLC0415 - not for --url
    from ragfleet_runtime.errors import StartError  # noqa: PLC0415
    from ragfleet_runtime.observe.logs import configure_logs  # noqa: PLC0415

    configure_logs("error", as_json=False)
    async with AsyncExitStack() as stack:
        if data_dir is None:
            name = stack.enter_context(tempfile.TemporaryDirectory(prefix="ragfleet-evaluate-"))
            data_dir = Path(name)
        try:
            runtime = await stack.enter_async_context(open_runtime(config, data_dir, secrets))
        except StartError as error:
            raise CliError(str(error)) from error
        transport = httpx.ASGITransport(app=runtime.app, raise_app_exceptions=False)
        yield await stack.enter_async_context(ServiceClient("http://in-process.invalid", transport=transport))


async def evaluate(
    client: ServiceClient, dataset: Dataset, top_k: int, *, mode: str | None, keep: bool
) -> Run:
    """Ask every question of the collection, over its whole corpus.

    mode: of retrieval; None is the pipeline's own. keep: whether what was added to the service stays there.
    Raises CliError.
    """
    started = time.perf_counter()
    await client.require_ready()
    corpus = Corpus(client, dataset.documents)
    try:
        with progress("Ingesting", len(dataset.documents), "documents") as advance:
            await corpus.add_missing(advance)
        _tell(corpus.loaded, len(dataset.documents))
        if not await corpus.settle():
            note("ragfleet: the service is still putting its index in order; the figures may change with it")
        ingested = time.perf_counter()
        with progress("Searching", len(dataset.questions), "questions") as advance:
            searches = _Searches(
                client, dataset, {"top_k": top_k, **({"mode": mode} if mode else {})}, advance
            )
            await for_each(searches.ask, dataset.questions, CONCURRENCY)
        searched = time.perf_counter()
        _tell_degraded(searches.degraded, len(dataset.questions))
    finally:
        if not keep:
            await corpus.remove_added()
    return Run(
        rankings=searches.rankings,
        mode=searches.mode,
        loaded=corpus.loaded,
        ingest_seconds=ingested - started,
        search_seconds=searched - ingested,
        seconds=searched - started,
    )


def _tell(loaded: Loaded, documents: int) -> None:
    """Say what the figures can't."""
    if len(loaded.failures) == documents:
        id_, reason = next(iter(loaded.failures.items()))
        raise CliError(f"no document of the corpus could be ingested; {id_!r}: {reason}")
    if loaded.failures:
        id_, reason = next(iter(loaded.failures.items()))
        failed = f"{len(loaded.failures)} of {documents} documents could not be ingested and won't be found"
        note(f"ragfleet: {failed}; {id_!r}: {reason}")
    if loaded.present:
        present = f"{len(loaded.present)} of {documents} documents were there before"
        note(f"ragfleet: {present}, and are taken as they are")
    if loaded.others:
        note(f"ragfleet: {loaded.others} other documents of the service compete with the corpus for places")


def _tell_degraded(degraded: Counter[str], questions: int) -> None:
    for reason, times in degraded.most_common(3):
        note(f"ragfleet: degraded, for {times} of {questions} questions: {one_line(reason, 200)}")


class _Searches:
    """The questions asked so far, and the rankings they gave; ``options`` go with each of them."""

    def __init__(
        self, client: ServiceClient, dataset: Dataset, options: Mapping[str, Any], advance: Advance
    ) -> None:
        self._client = client
        self._questions = dataset.questions
        self._options = options
        self._advance = advance
        self.rankings: dict[str, list[str]] = {}
        self.mode = ""
        self.degraded: Counter[str] = Counter()

    async def ask(self, id_: str) -> None:
        """Search for one question."""
        body = {"query": self._questions[id_], "group_by_document": True, **self._options}
        try:
            answer = await self._client.search(body)
        except RefusedError as error:
            question = one_line(self._questions[id_], 60)
            raise CliError(f"question {id_!r} ({question}): {error}") from error
        self.mode = str(answer.get("mode", ""))
        self.degraded.update(str(reason) for reason in answer.get("degraded") or ())
        # Each document once, at its best place.
        self.rankings[id_] = list(dict.fromkeys(result["document_id"] for result in answer["results"]))
        self._advance(1)
