from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TypeVar

import httpx
import pytest

from ragfleet_cli.answers import RefusedError
from ragfleet_cli.client import Retries, ServiceClient, UnreachableError
from ragfleet_cli.errors import CliError
from support.fake_service import FakeService, Reply, problem

T = TypeVar("T")
QUICK = Retries(attempts=3, backoff=0.0)
LOST = Reply(None)


def call(url: str, function: Callable[[ServiceClient], Awaitable[T]], retries: Retries = QUICK) -> T:
    async def run() -> T:
        async with ServiceClient(url, retries) as client:
            return await function(client)

    return asyncio.run(run())


def search(client: ServiceClient) -> Awaitable[dict[str, object]]:
    return client.search({"query": "x", "top_k": 1})


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_service_is_asked_again(url: str, service: FakeService, status: int) -> None:
    service.broken["POST /search"] = [problem(status, "busy", Retry_After="0")] * 2
    assert call(url, search)["mode"] == "sparse"
    assert service.count("POST /search") == 3


def test_a_busy_service_is_asked_a_bounded_number_of_times(url: str, service: FakeService) -> None:
    service.broken["POST /search"] = [problem(503, "busy", Retry_After="0")] * 9
    with pytest.raises(RefusedError, match="the service answered 503: busy"):
        call(url, search)
    assert service.count("POST /search") == 3


def test_a_date_in_retry_after_is_a_moment(url: str, service: FakeService) -> None:
    past = format_datetime(datetime.now(UTC) - timedelta(minutes=1), usegmt=True)
    service.broken["POST /search"] = [problem(503, "busy", Retry_After=past)]
    call(url, search)
    assert service.count("POST /search") == 2


def test_the_wait_is_bounded(url: str, service: FakeService) -> None:
    service.broken["POST /search"] = [problem(429, "busy", Retry_After="3600")]
    call(url, search, Retries(attempts=2, longest_wait=0.0))
    assert service.count("POST /search") == 2


@pytest.mark.parametrize("headers", [{}, {"Retry_After": "soon"}])
def test_without_a_time_to_wait_there_is_no_second_try(
    url: str, service: FakeService, headers: dict[str, str]
) -> None:
    service.broken["POST /search"] = [problem(503, "down for good", **headers)]
    with pytest.raises(RefusedError, match="down for good"):
        call(url, search)
    assert service.count("POST /search") == 1


def test_a_lost_connection_is_tried_again_once_the_service_has_answered(
    url: str, service: FakeService
) -> None:
    async def twice(client: ServiceClient) -> dict[str, object]:
        await client.require_ready()
        service.broken["POST /search"] = [LOST, LOST]
        return await client.search({"query": "x", "top_k": 1})

    assert call(url, twice)["mode"] == "sparse"
    assert service.count("POST /search") == 3


def test_a_service_that_never_answered_is_not_asked_again(url: str, service: FakeService) -> None:
    service.broken["POST /search"] = [LOST]
    with pytest.raises(UnreachableError, match="no service at http://127"):
        call(url, search)
    assert service.count("POST /search") == 1


def test_a_lost_connection_is_not_tried_for_ever(url: str, service: FakeService) -> None:
    async def twice(client: ServiceClient) -> object:
        await client.require_ready()
        service.broken["POST /search"] = [LOST] * 9
        return await client.search({"query": "x", "top_k": 1})

    with pytest.raises(UnreachableError, match="the connection was lost"):
        call(url, twice)


def test_nothing_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(UnreachableError, match="start one with `ragfleet up`, or name another with --url"):
        call(f"http://127.0.0.1:{port}", search)


def test_no_answer_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ragfleet_cli.client.TIMEOUT", httpx.Timeout(1, read=0.05))
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        pytest.raises(UnreachableError, match=r"no answer within 0\.05 seconds"),
    ):
        call(f"http://127.0.0.1:{listener.getsockname()[1]}", search)


def test_an_error_has_the_services_words_and_the_request(url: str, service: FakeService) -> None:
    service.broken["POST /search"] = [problem(422, "the query is empty:\n send one word")]
    with pytest.raises(RefusedError) as error:
        call(url, search)
    assert str(error.value) == "the service answered 422: the query is empty: send one word (request r1)"


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (Reply(502, b"<html>Bad\ngateway</html>"), "the service answered 502: <html>Bad gateway</html>"),
        (Reply(500, b""), "the service answered 500: Internal Server Error"),
        (Reply(500, {"error": "x"}), "the service answered 500: Internal Server Error"),
        (Reply(200, b"hello"), "the answer is not one of a Ragfleet service; check --url"),
        (Reply(200, [1]), "the answer is not one of a Ragfleet service"),
        (Reply(200, {"results": [1]}), "the answer is not one of a Ragfleet service"),
    ],
)
def test_answers_of_something_else(url: str, service: FakeService, reply: Reply, message: str) -> None:
    service.broken["POST /search"] = [reply]
    with pytest.raises(CliError) as error:
        call(url, search)
    assert message in str(error.value)


def test_as_many_outcomes_as_documents_are_expected(url: str, service: FakeService) -> None:
    service.broken["POST /ingest"] = [Reply(200, {"documents": []})]
    with pytest.raises(CliError, match="1 documents sent, 0 answered"):
        call(url, lambda client: client.ingest_texts([{"id": "a", "text": "b"}]))


def test_all_pages_of_documents_are_read(url: str, service: FakeService) -> None:
    service.documents = dict.fromkeys("abcde", "text")
    assert call(url, lambda client: client.document_ids()) == set("abcde")
    assert service.count("GET /documents") == 3


def test_any_id_can_be_deleted_and_twice(url: str, service: FakeService) -> None:
    odd = "guides/ä b?c#d%20.md"
    service.documents = {odd: "text", "other": "text"}
    call(url, lambda client: client.delete(odd))
    call(url, lambda client: client.delete(odd))
    assert set(service.documents) == {"other"}


def test_an_address_may_have_a_path(url: str, service: FakeService) -> None:
    with pytest.raises(RefusedError, match="no route /rag/ready"):
        call(f"{url}/rag", lambda client: client.require_ready())


def test_a_proxy_is_not_asked_for_this_machine(
    url: str, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    call(url, lambda client: client.require_ready())
    call(url.replace("127.0.0.1", "localhost"), lambda client: client.require_ready())
    assert service.count("GET /ready") == 2
