"""The connections to a model's provider: how many there are, how they end, proxies, TLS, what breaks them."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
import zlib
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from ragfleet_runtime.deadline import Deadline
from ragfleet_runtime.generate.chat import ChatModel, Ended
from ragfleet_runtime.generate.prompt import Prompt
from ragfleet_runtime.retrieve.conversation import Turn
from support.llm_app import KEY, anthropic, openai, running_app
from support.llm_raw import chunk, raw_server
from support.llm_server import LLMServer, Script, llm_server
from support.llm_wire import anthropic_wire, openai_wire

pytestmark = pytest.mark.anyio

Api = Callable[..., dict[str, Any]]
QUOTE = {"name": "quote", "type": "Extractive"}
# Too short for another attempt after the shortest pause.
DEADLINE = 0.8
PROMPT = Prompt("Answer.", (Turn("user", "Why?"),))
MANY = 150

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
# What comes instead of an answer, the fault it is, and words of its message.
BEFORE: dict[str, tuple[bytes, str, str]] = {
    "nothing": (b"", "unavailable", "can't be reached: Server disconnected"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9.9\r\n\r\n", "unavailable", "can't be reached: Bad status line"),
    "a header without end": (
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 70_000, "unavailable", "can't be reached: "
    ),
    "an error that breaks off": (
        b"HTTP/1.1 500 No\r\nContent-Length: 100\r\n\r\n{", "bad_response", "the answer broke off: "
    ),
    "no gzip": (
        HEAD + b"Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nplain", "bad_response", "decompressing"
    ),
}  # fmt: skip
# What comes around the first piece of an answer, and words of the message.
WITHIN: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "no last chunk": (lambda event: CHUNKED + chunk(event), "the answer broke off: "),
    "half a chunk": (lambda event: CHUNKED + chunk(event) + b"ff\r\ndata", "the answer broke off: "),
    "less than announced": (
        lambda event: HEAD + b"Content-Length: 9999\r\n\r\n" + event, "the answer broke off: "
    ),
    "nothing announced": (
        lambda event: HEAD + b"Connection: close\r\n\r\n" + event, "the stream ended without its end"
    ),
}  # fmt: skip


@pytest.fixture(params=[openai, anthropic], ids=["openai", "anthropic"])
def api(request: pytest.FixtureRequest) -> Api:
    made: Api = request.param
    return made


@pytest.fixture
async def server() -> AsyncIterator[LLMServer]:
    async with llm_server() as running:
        yield running


def at(api: Api, url: str) -> dict[str, Any]:
    """The section of a generator at this address."""
    return api(LLMServer(), baseURL=url)


def events_of(api: Api) -> tuple[bytes, bytes]:
    """The events of an answer, first those up to its text, then its end."""
    wire = openai_wire() if api is openai else anthropic_wire()
    begun = wire.start("first") + wire.content("first", "Keys are issued. [1]")
    return begun, b"".join(wire.end("first", None, 1, asked={}, without=""))


async def whole(model: ChatModel) -> str:
    """The text of a reply."""
    async with aclosing(model.reply(PROMPT, 800, Deadline(20))) as reply:
        return "".join([item async for item in reply if not isinstance(item, Ended)])


async def test_a_connection_to_the_model_is_used_again(api: Api, server: LLMServer) -> None:
    async with running_app(api(server)) as app:
        for _ in range(3):
            assert (await app.ask()).status_code == 200
    assert len(server.requests) == 3
    assert server.connections == 1


async def test_no_stream_waits_for_another_to_end(api: Api, server: LLMServer) -> None:
    server.script("first", Script(before_headers=1.5))
    async with running_app(api(server)) as app:
        (model,) = app.models
        streams = asyncio.gather(*(whole(model) for _ in range(MANY)))
        start = time.monotonic()
        while len(server.requests) < MANY:
            assert time.monotonic() < start + 5
            await asyncio.sleep(0.02)
        assert not any(request.is_done for request in server.requests)
        assert server.connections == MANY
        assert len(set(await streams)) == 1


@pytest.mark.parametrize("case", BEFORE)
async def test_what_comes_instead_of_an_answer_is_a_fault(case: str, api: Api) -> None:
    sent, fault, words = BEFORE[case]
    async with raw_server(sent) as url:
        async with running_app(at(api, url), deadline=DEADLINE) as app:
            detail = (await app.ask()).json()["detail"]
        async with running_app({**at(api, url), "fallbacks": [QUOTE]}, deadline=DEADLINE) as app:
            assert (await app.ask()).json()["degraded"] == [f"generation:{api.__name__}:{fault}"]
    assert words in detail
    assert KEY not in detail
    assert "\n" not in detail


async def test_a_connection_that_is_reset_can_be_tried_again(api: Api) -> None:
    async with (
        raw_server(b"", resets=True) as url,
        running_app({**at(api, url), "fallbacks": [QUOTE]}, deadline=DEADLINE) as app,
    ):
        assert (await app.ask()).json()["degraded"] == [f"generation:{api.__name__}:unavailable"]


@pytest.mark.parametrize("resets", [False, True], ids=["closed", "reset"])
@pytest.mark.parametrize("case", WITHIN)
async def test_an_answer_that_breaks_off_is_a_fault_at_once(case: str, resets: bool, api: Api) -> None:
    made, words = WITHIN[case]
    async with (
        raw_server(made(events_of(api)[0]), resets=resets) as url,
        running_app(at(api, url), deadline=20) as app,
    ):
        start = time.monotonic()
        reply = await app.ask()
        assert time.monotonic() - start < 2
    assert reply.json()["degraded"] == [f"generation:{api.__name__}:bad_response"]
    if not (resets and case == "nothing announced"):
        assert words in reply.json()["detail"]


async def test_a_body_that_is_no_longer_http_ends_by_the_deadline(api: Api) -> None:
    sent = CHUNKED + chunk(events_of(api)[0]) + b"HTTP/1.1 502 Bad Gateway\r\n\r\n"
    async with (
        raw_server(sent) as url,
        running_app({**at(api, url), "fallbacks": [QUOTE]}, deadline=DEADLINE) as app,
    ):
        start = time.monotonic()
        reply = (await app.ask()).json()
        assert time.monotonic() - start < DEADLINE
    assert reply["model"] == "extractive"


async def test_an_answer_is_whole_though_its_connection_isnt_closed_in_order(api: Api) -> None:
    async with (
        raw_server(CHUNKED + chunk(b"".join(events_of(api)))) as url,
        running_app(at(api, url)) as app,
    ):
        for _ in range(2):
            reply = (await app.ask()).json()
            assert (reply["answer"], reply["degraded"]) == ("Keys are issued. [1]", [])


async def test_a_compressed_answer_is_read_as_it_comes(api: Api) -> None:
    packer = zlib.compressobj(wbits=31)
    begun = packer.compress(events_of(api)[0]) + packer.flush(zlib.Z_SYNC_FLUSH)
    sent = HEAD + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(begun)
    async with raw_server(sent, stays=True) as url, running_app(at(api, url)) as app:
        (model,) = app.models
        async with asyncio.timeout(5), aclosing(model.reply(PROMPT, 800, Deadline(20))) as reply:
            assert await anext(reply) == "Keys are issued. [1]"


# The libraries' transport gives a proxy's password in a way that aiohttp 4 will no longer take.
@pytest.mark.filterwarnings("ignore:.*(BasicAuth|proxy_auth).* deprecated:DeprecationWarning")
async def test_a_proxy_of_the_environment_is_used(
    api: Api, server: LLMServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", server.url.replace("//", "//user:word@"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")  # where the test itself asks
    section = {**at(api, "http://model.invalid/v1"), "fallbacks": [QUOTE]}
    async with running_app(section) as app:
        assert (await app.ask()).json()["degraded"] == []
    (asked,) = server.requests
    assert asked.path.startswith("http://model.invalid/v1")
    assert asked.headers["proxy-authorization"] == "Basic dXNlcjp3b3Jk"
    assert asked.headers["host"] == "model.invalid"
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,model.invalid")
    async with running_app(section, deadline=DEADLINE) as app:
        assert (await app.ask()).json()["degraded"] == [f"generation:{api.__name__}:unavailable"]
    assert len(server.requests) == 1


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, ssl.SSLContext]:
    """A certificate that is its own authority, and a server's context with it."""
    files = tmp_path / "ca.pem", tmp_path / "ca.key"
    subject = ["-subj", "/CN=model", "-addext", "subjectAltName=IP:127.0.0.1"]
    made = ["-keyout", str(files[1]), "-out", str(files[0])]
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *made]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return files[0], context


async def test_a_private_authority_of_the_environment_is_trusted(
    api: Api, certificate: tuple[Path, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    authority, context = certificate
    async with llm_server(context) as server:
        async with running_app(api(server), deadline=DEADLINE) as app:
            reply = await app.ask()
        assert (reply.status_code, server.requests) == (503, [])
        assert "certificate verify failed" in reply.json()["detail"]
        monkeypatch.setenv("SSL_CERT_FILE", str(authority))
        server.script("first", Script(), Script(stalls_after=1))
        async with running_app(api(server)) as app:
            assert (await app.ask()).json()["degraded"] == []
            reply_of_model = app.models[0].reply(PROMPT, 800, Deadline(20))
            await anext(reply_of_model)
            gone = time.monotonic()
            await reply_of_model.aclose()
            while server.requests[-1].gone_at is None:
                await asyncio.sleep(0.005)
                assert time.monotonic() - gone < 5
        assert server.requests[-1].gone_at - gone < 0.1
