"""A small stand-in for the service's HTTP API, for tests of its callers.

``FakeService.handle`` is the API over plain values; ``serve`` puts it on a socket of 127.0.0.1, and ``asgi``
makes it an ASGI application.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 2


@dataclass(frozen=True)
class Reply:
    """An answer; without a status the connection is closed instead."""

    status: int | None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Upload:
    """A file as it arrived."""

    id: str
    name: str
    content: bytes
    metadata: dict[str, Any]


def problem(status: int, detail: str, **headers: str) -> Reply:
    """A problem document."""
    body = {"type": "about:blank", "title": "Problem", "status": status, "detail": detail, "request_id": "r1"}
    return Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})


@dataclass
class FakeService:
    """Documents by id, what was asked, and how to misbehave.

    broken: answers given instead, by "METHOD /path", first to last. refused: text in a document that makes a
    request 422. limit: bytes of the largest body. answer: what /query replies. gate: uploads wait for it,
    from ``gate_at`` documents on. unsettled: how often /health says that the index is not in order.
    lands_before_failing: how often /ingest keeps the documents and then answers 500.
    """

    documents: dict[str, str] = field(default_factory=dict)
    uploads: list[Upload] = field(default_factory=list)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)
    broken: dict[str, list[Reply]] = field(default_factory=dict)
    refused: str | None = None
    limit: int | None = None
    answer: dict[str, Any] = field(default_factory=dict)
    gate: threading.Event | None = None
    gate_at: int = 0
    busy: int = 0
    most_busy: int = 0
    unsettled: int = 0
    lands_before_failing: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, request: str) -> int:
        """How often "METHOD /path" was asked for."""
        return sum(f"{method} {path}" == request for method, path, _ in self.requests)

    def handle(self, method: str, target: str, content_type: str, body: bytes) -> Reply:
        """Answer a request."""
        url = urlsplit(target)
        path = unquote(url.path)
        parsed: Any = json.loads(body) if body and content_type == "application/json" else None
        with self.lock:
            self.requests.append((method, path, parsed))
            scripted = self.broken.get(f"{method} {path}")
            if scripted:
                return scripted.pop(0)
        if self.limit is not None and len(body) > self.limit:
            return problem(413, "the body is too large")
        routes: dict[str, Callable[[], Reply]] = {
            "GET /ready": lambda: Reply(200, {"status": "ok"}),
            "GET /health": self._health,
            "POST /ingest": lambda: self._ingest(parsed, content_type, body),
            "POST /search": lambda: Reply(200, self._search(parsed)),
            "POST /query": lambda: Reply(200, self.answer),
            "GET /documents": lambda: Reply(200, self._page(parse_qs(url.query))),
        }
        if method == "DELETE" and path.startswith("/documents/"):
            return self._delete(path.removeprefix("/documents/"))
        route = routes.get(f"{method} {path}")
        return route() if route else problem(404, f"no route {path}")

    def _delete(self, id_: str) -> Reply:
        known = self.documents.pop(id_, None)
        return problem(404, "no such document") if known is None else Reply(200, {"deleted": 1})

    def _health(self) -> Reply:
        self.unsettled -= 1
        reason = "being put in order" if self.unsettled >= 0 else None
        return Reply(200, {"status": "ok", "checks": [{"name": "index", "status": "ok", "reason": reason}]})

    def _ingest(self, parsed: Any, content_type: str, body: bytes) -> Reply:
        if content_type == "application/json":
            sent = [(document["id"], document["text"]) for document in parsed["documents"]]
        else:
            uploads = parse_uploads(content_type, body)
            sent = [(upload.id, upload.content.decode("latin-1")) for upload in uploads]
        with self.lock:
            self.busy += 1
            self.most_busy = max(self.most_busy, self.busy)
        if self.gate is not None and len(self.documents) >= self.gate_at:
            self.gate.wait(20)
        with self.lock:
            self.busy -= 1
            if self.refused is not None and any(self.refused in text for _, text in sent):
                return problem(422, "a document is not valid")
            if content_type != "application/json":
                self.uploads.extend(uploads)
            reply = Reply(200, {"documents": [self._keep(id_, text) for id_, text in sent]})
            self.lands_before_failing -= 1
            return reply if self.lands_before_failing < 0 else problem(500, "the service failed")

    def _keep(self, id_: str, text: str) -> dict[str, Any]:
        if not text.strip():
            return {"id": id_, "chunks": 0, "status": "failed", "error": "the document is empty"}
        status = "unchanged" if self.documents.get(id_) == text else "indexed"
        self.documents[id_] = text
        return {"id": id_, "chunks": 1, "status": status}

    def _search(self, request: dict[str, Any]) -> dict[str, Any]:
        """Documents by how many of the question's words they have, then by id."""
        words = request["query"].split()
        scores = {
            id_: sum(text.split().count(word) for word in words) for id_, text in self.documents.items()
        }
        found = sorted((id_ for id_, score in scores.items() if score), key=lambda id_: (-scores[id_], id_))
        results = [
            {
                "document_id": id_,
                "chunk_id": f"{id_}#0",
                "text": self.documents[id_],
                "score": float(scores[id_]),
                "title": None,
                "metadata": {"headings": ["Part", "Chapter"]},
                "start": 0,
                "end": len(self.documents[id_]),
            }
            for id_ in found[: request["top_k"]]
        ]
        return {"results": results, "mode": "sparse", "took_ms": 0.1}

    def _page(self, query: dict[str, list[str]]) -> dict[str, Any]:
        after = query.get("cursor", [""])[0]
        ids = sorted(id_ for id_ in self.documents if id_ > after)
        following = ids[PAGE - 1] if len(ids) > PAGE else None
        return {"documents": [{"id": id_} for id_ in ids[:PAGE]], "next_cursor": following}


def parse_uploads(content_type: str, body: bytes) -> list[Upload]:
    """The files of a multipart body, with their ids and metadata."""
    message = BytesParser(policy=HTTP).parsebytes(f"Content-Type: {content_type}\r\n\r\n".encode() + body)
    files: list[tuple[str, bytes]] = []
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        if name == "files":
            files.append((part.get_filename() or "", content))
        else:
            fields[str(name)] = json.loads(content)
    return [
        Upload(id_, name, content, metadata)
        for (name, content), id_, metadata in zip(files, fields["ids"], fields["metadata"], strict=True)
    ]


@contextmanager
def serve(service: FakeService) -> Iterator[str]:
    """The address of the service, until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # one write for head and body, which delayed acknowledgements would otherwise slow down

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            reply = service.handle(self.command, self.path, self.headers.get("Content-Type", ""), body)
            if reply.status is None:
                self.close_connection = True
                return
            content = reply.body if isinstance(reply.body, bytes) else json.dumps(reply.body).encode()
            self.send_response(reply.status)
            for name, value in {"Content-Length": str(len(content)), **reply.headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 (the names that http.server looks for)

        def log_message(self, *_: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *_: Any) -> None:
            """Callers may go away; that is theirs to do."""

    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def asgi(service: FakeService) -> Any:
    """The service as an ASGI application."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message["body"]
            more = message["more_body"]
        headers = {name.decode().lower(): value.decode() for name, value in scope["headers"]}
        target = f"{scope['raw_path'].decode()}?{scope['query_string'].decode()}"
        reply = service.handle(scope["method"], target, headers.get("content-type", ""), body)
        await send({"type": "http.response.start", "status": reply.status, "headers": []})
        await send({"type": "http.response.body", "body": json.dumps(reply.body).encode()})

    return app
