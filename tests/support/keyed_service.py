"""A service that wants an API key and answers what a test tells it, piece by piece."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Sends a piece of the answer to its caller at once.
Write = Callable[[bytes], None]


def event(name: str, data: Any) -> bytes:
    """A server-sent event."""
    return f"event: {name}\ndata: {json.dumps(data)}\n\n".encode()


@dataclass
class KeyedService:
    """What was asked, and what is answered.

    key: the key that is right. role_fault: the detail of a 403 for everything. script: writes the answer to
    POST /query/stream; what else is asked gets an empty result. promised_bytes: the length that a stream
    says it has.
    """

    key: str = "right-key-0123456789"
    role_fault: str = ""
    script: Callable[[Write], None] = lambda _: None
    promised_bytes: int | None = None
    requests: list[tuple[str, str, Any]] = field(default_factory=list)

    def refusal(self, authorization: str | None) -> tuple[int, str] | None:
        """The status and the detail for a caller who may not go on, or None."""
        if authorization is None:
            return 401, "there is no API key in the headers"
        if authorization != f"Bearer {self.key}":
            return 401, "the API key is not one of this service"
        return (403, self.role_fault) if self.role_fault else None


@contextmanager
def serve_keyed(service: KeyedService) -> Iterator[str]:
    """The address of the service, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            is_json = self.headers.get("Content-Type") == "application/json"
            service.requests.append((self.command, self.path, json.loads(body) if is_json else None))
            refusal = service.refusal(self.headers.get("Authorization"))
            if refusal is not None and self.path != "/ready":
                self._reply(refusal[0], {"detail": refusal[1], "request_id": "r1"})
            elif self.path == "/query/stream":
                self.send_response(200)
                self.send_header("Content-Type", "text/event-stream; charset=utf-8")
                if service.promised_bytes is not None:
                    self.send_header("Content-Length", str(service.promised_bytes))
                self.end_headers()
                service.script(self._write)
            else:
                empty = {"results": [], "documents": [], "mode": "dense", "took_ms": 1.0}
                self._reply(200, {**empty, "checks": [], "degraded": ["the model doesn't answer"]})

        def _reply(self, status: int, body: dict[str, Any]) -> None:
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def _write(self, piece: bytes) -> None:
            self.wfile.write(piece)
            self.wfile.flush()

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()
