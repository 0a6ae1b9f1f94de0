"""An embedding service on the loopback, with scripted faults.

It speaks OpenAI's ``POST /v1/embeddings`` (floats only, as some compatible servers do) and Cohere's
``POST /v2/embed``. Its vectors are bags of words: texts that share words are near each other.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPENAI_PATH = "/v1/embeddings"
COHERE_PATH = "/v2/embed"
COHERE_MOST_TEXTS = 96

Row = list[Any]


@dataclass(frozen=True)
class Fault:
    """How one call goes wrong; what isn't given goes right.

    status, headers: of the answer. body: sent as it is. rows: changes the vectors before they are sent.
    before: seconds until the headers are sent. drip: seconds between the bytes of the body. cut: the
    connection is closed in the middle of the body. drop: the connection is closed without an answer.
    """

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    rows: Callable[[list[Row]], list[Any]] | None = None
    before: float = 0.0
    drip: float = 0.0
    cut: bool = False
    drop: bool = False


def refusal(status: int, *, retry_after: str | None = None, code: str | None = None, echo: str = "") -> Fault:
    """An error as services send it; ``echo`` is in its message, as some put the request there."""
    error = {"message": f"this failed {echo}", "type": "error", "code": code}
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return Fault(status, headers, json.dumps({"error": error, "message": error["message"]}).encode())


@dataclass(frozen=True)
class Received:
    """A call as it arrived."""

    path: str
    authorization: str | None
    headers: dict[str, str]
    body: dict[str, Any]

    @property
    def texts(self) -> list[str]:
        """What was to be embedded."""
        return list(self.body["input" if self.path == OPENAI_PATH else "texts"])


@dataclass
class EmbeddingServer:
    """What the service does, and what it was asked.

    key: the API key that it asks for, or any. faults: of the next calls, first to last. always: of the calls
    after those. refused: a call with this in one of its texts is a 400. gate: calls wait until it is set.
    shuffled: OpenAI's vectors come in another order than their texts.
    """

    dimensions: int = 64
    model: str = "bag-of-words"
    key: str | None = None
    faults: deque[Fault] = field(default_factory=deque)
    always: Fault | None = None
    refused: str | None = None
    gate: threading.Event | None = None
    shuffled: bool = False
    calls: list[Received] = field(default_factory=list)
    busy: int = 0
    most_busy: int = 0
    url: str = ""
    stopping: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, call: Received) -> tuple[Fault, bytes]:
        """What goes over the wire for a call: how, and the body."""
        with self.lock:
            self.calls.append(call)
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
            fault = self.faults.popleft() if self.faults else self.always or self._own(call) or Fault()
        try:
            if self.gate is not None:
                self.gate.wait(20)
            self.stopping.wait(fault.before)
            return fault, fault.body if fault.body is not None else self._body(call, fault)
        finally:
            with self.lock:
                self.busy -= 1

    def wait_for_calls(self, count: int) -> None:
        """Wait until that many calls have arrived."""
        deadline = time.monotonic() + 20
        while len(self.calls) < count:
            assert time.monotonic() < deadline, f"{len(self.calls)} of {count} calls arrived"
            time.sleep(0.002)

    def _own(self, call: Received) -> Fault | None:
        """What a right service refuses by itself."""
        if self.key is not None and call.authorization != f"Bearer {self.key}":
            return refusal(401, echo=str(call.authorization))
        if call.path not in (OPENAI_PATH, COHERE_PATH) or call.body["model"] != self.model:
            return refusal(404)
        if call.path == OPENAI_PATH and call.body.get("encoding_format", "float") != "float":
            return refusal(400, code="unsupported_format")
        if call.path == COHERE_PATH and not _is_right_cohere(call.body):
            return refusal(400)
        if self.refused is not None and any(self.refused in text for text in call.texts):
            return refusal(400, echo=" ".join(call.texts))
        return None

    def _body(self, call: Received, fault: Fault) -> bytes:
        asked = call.body.get("dimensions" if call.path == OPENAI_PATH else "output_dimension")
        rows: list[Any] = [vector_of(text, asked or self.dimensions) for text in call.texts]
        if fault.rows is not None:
            rows = fault.rows(rows)
        if call.path == COHERE_PATH:
            answer: dict[str, Any] = {
                "id": "1",
                "embeddings": {"float": rows},
                "texts": call.texts,
                "meta": {},
            }
        else:
            data = [{"object": "embedding", "index": n, "embedding": row} for n, row in enumerate(rows)]
            usage = {"prompt_tokens": 1, "total_tokens": 1}
            answer = {"object": "list", "data": data, "model": self.model, "usage": usage}
            if self.shuffled:
                answer["data"] = data[::-1]
        return json.dumps(answer).encode()


def _is_right_cohere(body: dict[str, Any]) -> bool:
    return (
        body.get("input_type") in ("search_query", "search_document")
        and body.get("embedding_types") == ["float"]
        and len(body["texts"]) <= COHERE_MOST_TEXTS
    )


def vector_of(text: str, dimensions: int) -> list[float]:
    """The text's words as a vector of length 1: each word adds its own pattern of +1 and -1."""
    sums = [0] * dimensions
    for word in re.findall(r"\w+", text.lower()) or [text]:
        bits = int.from_bytes(hashlib.shake_128(word.encode()).digest(dimensions // 8 + 1), "big")
        for n in range(dimensions):
            sums[n] += 1 if bits >> n & 1 else -1
    length = math.hypot(*sums)
    return [number / length for number in sums] if length else [1.0] + [0.0] * (dimensions - 1)


def cosine(a: list[float], b: list[float]) -> float:
    """How near two vectors are."""
    return sum(x * y for x, y in zip(a, b, strict=True)) / (math.hypot(*a) * math.hypot(*b))


class _Handler(BaseHTTPRequestHandler):
    service: EmbeddingServer
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write for head and body, which delayed acknowledgements would otherwise slow down

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call = Received(self.path, self.headers.get("Authorization"), headers, body)
        fault, content = self.service.answer(call)
        if fault.drop:
            self.close_connection = True
            return
        self.send_response(fault.status)
        headers = {"Content-Type": "application/json", "Content-Length": str(len(content))}
        for name, value in {**headers, **fault.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault.cut:
            self.wfile.write(content[: len(content) // 2])
            self.close_connection = True
        elif fault.drip:
            self._drip(content, fault.drip)
        else:
            self.wfile.write(content)

    def _drip(self, content: bytes, pause: float) -> None:
        for n in range(len(content)):
            self.wfile.write(content[n : n + 1])
            self.wfile.flush()
            if self.service.stopping.wait(pause):
                break

    def log_message(self, *_: Any) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """Callers may go away; that is theirs to do."""


@contextmanager
def embedding_server(**settings: Any) -> Iterator[EmbeddingServer]:
    """A running service, until the block ends; its ``url`` has no path."""
    service = EmbeddingServer(**settings)

    handler = type("Handler", (_Handler,), {"service": service})
    with _Server(("127.0.0.1", 0), handler) as server:
        service.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            service.stopping.set()
            if service.gate is not None:
                service.gate.set()
            server.shutdown()
            thread.join()
