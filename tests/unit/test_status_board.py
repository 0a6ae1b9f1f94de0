from __future__ import annotations

import asyncio
from typing import Any

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_runtime.api import status
from ragfleet_runtime.api.probes import Readiness
from ragfleet_runtime.api.status import Board
from ragfleet_runtime.errors import (
    CollectionError,
    NotOpenYetError,
    ProviderError,
    StartError,
    UnavailableError,
)
from ragfleet_runtime.index.documents import Totals
from ragfleet_runtime.secrets import MissingSecretError

pytestmark = pytest.mark.anyio


class Store:
    """A document store that answers as a test says; ``asked`` counts the pings."""

    def __init__(self) -> None:
        self.asked = 0
        self.ping_fault: Exception | None = None
        self.count_fault: Exception | None = None
        self.takes = 0.0
        self.counted = 0
        self.count_takes = 0.0

    async def get_setting(self, name: str) -> str | None:
        self.asked += 1
        await asyncio.sleep(self.takes)
        if self.ping_fault is not None:
            raise self.ping_fault
        return "owner"

    async def totals(self) -> Totals:
        self.counted += 1
        await asyncio.sleep(self.count_takes)
        if self.count_fault is not None:
            raise self.count_fault
        return Totals(3, 12, 99)

    async def stale(self, recipe: str) -> int:
        return {"now": 2}[recipe]


@pytest.fixture
def store() -> Store:
    return Store()


def opened(config: RuntimeConfig, store: Any) -> Board:
    readiness = Readiness()
    board = Board(config, readiness)
    board.open(store, "now")
    readiness.open()
    return board


async def test_an_open_service_tells_what_it_holds(config: RuntimeConfig, store: Store) -> None:
    assert await opened(config, store).tell() == {
        "collection": config.store.collection,
        "engine": "Embedded",
        "documents": 3,
        "chunks": 12,
        "staleDocuments": 2,
        "store": {"reachable": True, "message": ""},
        "ready": True,
        "version": "0.1.0",
    }


@pytest.mark.parametrize(
    ("error", "reachable"),
    [
        (NotOpenYetError("the Qdrant server\nat http://q refuses"), False),
        (CollectionError("the collection is another's"), False),
        (ProviderError("OpenAI", "unavailable", "no connection"), None),
        (StartError("the library isn't installed"), None),
        (MissingSecretError("the Secret llm has no entry token"), None),
    ],
)
async def test_before_it_is_open_the_reason_is_told_and_the_store_is_blamed_for_its_own_faults_alone(
    error: Exception, reachable: bool | None, config: RuntimeConfig
) -> None:
    board = Board(config, Readiness())
    assert (await board.tell())["store"] == {"reachable": None, "message": "starting"}
    board.wait(error)
    told = await board.tell()
    assert told["store"] == {"reachable": reachable, "message": " ".join(str(error).split())}
    assert told["ready"] is False
    assert [told[name] for name in ("documents", "chunks", "staleDocuments")] == [None] * 3


async def test_the_store_is_asked_once_for_all_and_again_when_a_second_has_passed(
    config: RuntimeConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = opened(config, store)
    store.takes = 0.02
    answers = await asyncio.gather(*(board.tell() for _ in range(50)))
    assert store.asked == 1
    assert all(answer == answers[0] for answer in answers)
    await board.tell()
    assert store.asked == 1
    monkeypatch.setattr(status, "_KEPT_SECONDS", 0.01)
    await asyncio.sleep(0.02)
    await board.tell()
    assert store.asked == 2


async def test_a_caller_who_goes_away_takes_the_answer_from_nobody(
    config: RuntimeConfig, store: Store
) -> None:
    board = opened(config, store)
    store.takes = 0.05
    leaving, staying = asyncio.create_task(board.tell()), asyncio.create_task(board.tell())
    await asyncio.sleep(0.01)
    leaving.cancel()
    assert (await staying)["documents"] == 3
    assert store.asked == 1


async def test_a_store_that_fails_or_hangs_is_told(
    config: RuntimeConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_KEPT_SECONDS", 0.0)
    monkeypatch.setattr(status, "_PING_SECONDS", 0.05)
    board = opened(config, store)
    store.ping_fault = UnavailableError("the Qdrant server can't be reached")
    told = await board.tell()
    assert told["store"] == {"reachable": False, "message": "the Qdrant server can't be reached"}
    assert (told["ready"], told["documents"]) == (True, None)  # ready stays: it has opened
    store.ping_fault, store.takes = None, 5.0
    assert (await board.tell())["store"] == {"reachable": False, "message": "no answer within 0.05 s"}
    store.takes, store.count_fault = 0.0, UnavailableError("counting took too long")
    told = await until_told(board, reachable=True)
    assert told["store"] == {"reachable": True, "message": ""}
    assert told["documents"] is None
    store.count_fault = None
    assert (await board.tell())["documents"] == 3


async def test_a_count_that_takes_long_holds_nobody_up_and_is_told_when_it_is_there(
    config: RuntimeConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(status, "_PATIENCE_SECONDS", 0.1)
    board = opened(config, store)
    store.count_takes = 0.25
    first, second = await board.tell(), await board.tell()
    assert [told["documents"] for told in (first, second)] == [None, None]
    assert first["store"]["reachable"] is True
    await asyncio.sleep(0.15)
    assert (await board.tell())["documents"] == 3
    assert store.counted == 1


async def test_what_nobody_foresaw_is_raised_and_asked_again(
    config: RuntimeConfig, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = opened(config, store)
    store.ping_fault = RuntimeError("a bug")
    with pytest.raises(RuntimeError, match="a bug"):
        await board.tell()
    store.ping_fault = None
    assert (await board.tell())["store"]["reachable"] is True


async def test_a_board_that_is_closed_asks_no_more(config: RuntimeConfig, store: Store) -> None:
    board = opened(config, store)
    store.takes = 5.0
    asking = asyncio.create_task(board.tell())
    await asyncio.sleep(0.01)
    await board.aclose()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert (await board.tell())["store"]["reachable"] is None
    assert store.asked == 1


async def until_told(board: Board, *, reachable: bool) -> dict[str, Any]:
    for _ in range(100):
        told = await board.tell()
        if told["store"]["reachable"] is reachable:
            return told
        await asyncio.sleep(0.01)
    raise AssertionError("it isn't told")
