"""POST /ingest and /documents over HTTP."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

import httpx
import pytest

from support.service import RunningService


def ingest(client: httpx.Client, *documents: Mapping[str, object]) -> dict[str, Any]:
    reply = client.post("/ingest", json={"documents": documents})
    assert reply.status_code == 200, reply.text
    found: dict[str, Any] = reply.json()
    return found


def texts(client: httpx.Client, query: str, **more: object) -> list[str]:
    reply = client.post("/search", json={"query": query, **more})
    assert reply.status_code == 200, reply.text
    return [result["text"] for result in reply.json()["results"]]


def test_the_reply_tells_what_became_of_each_document(client: httpx.Client) -> None:
    document = {"id": "reply", "text": "The kestrel hovers.", "title": "Birds", "metadata": {"zoo": True}}
    first = ingest(client, document)
    assert first == {
        "documents": [{"id": "reply", "chunks": 1, "status": "indexed"}],
        "indexed": 1,
        "unchanged": 0,
        "failed": 0,
    }
    again = ingest(client, document)
    assert again["documents"] == [{"id": "reply", "chunks": 1, "status": "unchanged"}]
    changed = ingest(client, {**document, "text": "The kestrel dives."})
    assert changed["indexed"] == 1
    assert texts(client, "kestrel") == ["The kestrel dives."]


@pytest.mark.parametrize("change", [{"title": "Other"}, {"metadata": {"zoo": False}}])
def test_a_new_title_or_metadata_is_new_content(client: httpx.Client, change: dict[str, object]) -> None:
    document: dict[str, object] = {"id": f"meta-{sorted(change)}", "text": "An ocelot.", "title": "Cats"}
    ingest(client, document)
    assert ingest(client, {**document, **change})["indexed"] == 1


def test_without_an_id_the_content_s_hash_is_the_id(client: httpx.Client) -> None:
    text = "A wombat digs."
    reply = ingest(client, {"text": text})
    assert reply["documents"][0]["id"] == hashlib.sha256(text.encode()).hexdigest()
    data = b"A numbat digs too."
    reply = client.post("/ingest", files=[("files", ("numbat.txt", data))]).json()
    assert reply["documents"][0]["id"] == hashlib.sha256(data).hexdigest()


def test_the_same_document_twice_in_one_request(client: httpx.Client) -> None:
    one = {"id": "twice", "text": "A first egret."}
    reply = ingest(client, one, one, {"id": "twice", "text": "A second egret."})
    assert [d["status"] for d in reply["documents"]] == ["indexed", "unchanged", "indexed"]
    assert texts(client, "egret") == ["A second egret."]


def test_failures_leave_the_others_alone(client: httpx.Client) -> None:
    reply = ingest(
        client,
        {"id": "fine-1", "text": "A fine plover."},
        {"id": "empty", "text": "  \n "},
        {"id": "nul", "text": "a\0b"},
        {"id": "deep", "text": "x", "metadata": json.loads('{"a":' * 20 + "1" + "}" * 20)},
        {"id": "huge-integer", "text": "x", "metadata": {"n": 2**70}},
        {"id": "large-metadata", "text": "x", "metadata": {"n": "y" * 70_000}},
        {"id": "fine-2", "text": "Another fine plover."},
    )
    found = {d["id"]: d for d in reply["documents"]}
    assert (reply["indexed"], reply["failed"]) == (2, 5)
    assert [name for name, d in found.items() if d["status"] == "indexed"] == ["fine-1", "fine-2"]
    assert "empty" in found["empty"]["error"]
    assert "NUL" in found["nul"]["error"]
    assert "nested deeper" in found["deep"]["error"]
    assert "64 bits" in found["huge-integer"]["error"]
    assert "at most" in found["large-metadata"]["error"]
    assert len(texts(client, "plover")) == 2


def test_a_failed_new_version_keeps_the_old_one(client: httpx.Client) -> None:
    ingest(client, {"id": "kept", "text": "The old curlew."})
    assert ingest(client, {"id": "kept", "text": ""})["failed"] == 1
    assert texts(client, "curlew") == ["The old curlew."]


def test_files_with_metadata_and_ids(client: httpx.Client) -> None:
    files: list[Any] = [
        ("files", ("guide.md", b"# Guide\n\nFeed the toucan at noon.", "text/markdown")),
        ("files", ("page.html", b"<title>Page</title><p>The toucan sleeps.</p><script>toucan()</script>")),
    ]
    data = {
        "metadata": json.dumps([{"team": "a"}, {"team": "b"}]),
        "ids": json.dumps(["g/guide.md", "g/p q"]),
    }
    reply = client.post("/ingest", files=files, data=data)
    assert reply.json()["indexed"] == 2, reply.text
    results = client.post("/search", json={"query": "toucan", "filters": {"team": "b"}}).json()["results"]
    assert [(r["document_id"], r["text"], r["title"]) for r in results] == [
        ("g/p q", "The toucan sleeps.", "Page")
    ]
    metadata = client.get("/documents/g/guide.md").json()["metadata"]
    assert metadata["file_name"] == "guide.md"
    assert metadata["file_type"] == "text/markdown"
    assert metadata["file_size"] == 33
    assert metadata["words"] > 3
    assert client.get("/documents/g/p%20q").json()["title"] == "Page"


def test_a_file_s_times_alone_are_no_new_content(client: httpx.Client) -> None:
    def send(modified_at: str) -> str:
        files = [("files", ("times.txt", b"A dotterel."))]
        data = {"metadata": json.dumps({"modified_at": modified_at}), "ids": '["times"]'}
        status: str = client.post("/ingest", files=files, data=data).json()["documents"][0]["status"]
        return status

    assert send("2026-01-01T00:00:00Z") == "indexed"
    assert send("2026-02-01T00:00:00Z") == "unchanged"


def test_hostile_files_in_a_batch(client: httpx.Client) -> None:
    """The service answers for each, and those that can be read land."""
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b"\0" * (600 * 2**20))
    files = [
        ("files", ("a.txt", b"A solitary hoatzin.")),
        ("files", ("bomb.docx", bomb.getvalue())),
        ("files", ("truncated.pdf", b"%PDF-1.7\n1 0 obj\n<<")),
        ("files", ("binary.txt", bytes(range(256)) * 4)),
        ("files", ("empty.md", b"")),
        ("files", ("latin1.txt", "Ein Café für den Hoatzin.".encode("latin-1"))),
    ]
    reply = client.post("/ingest", files=files).json()
    assert [d["status"] for d in reply["documents"]] == ["indexed", *["failed"] * 4, "indexed"], reply
    assert all(d["error"] for d in reply["documents"] if d["status"] == "failed")
    assert "Ein Café für den Hoatzin." in texts(client, "hoatzin café")


@pytest.mark.parametrize(
    ("files", "data", "message"),
    [
        ([], {"metadata": "{}"}, "files"),
        ([("files", ("a.txt", b"x"))], {"metadata": "["}, "metadata: not JSON"),
        ([("files", ("a.txt", b"x"))], {"metadata": "[{},{}]"}, "an array of 1 objects"),
        ([("files", ("a.txt", b"x"))], {"ids": '["a","b"]'}, "2 ids for 1 files"),
        ([("files", ("a.txt", b"x"))], {"ids": '[" a"]'}, "printable"),
        ([("files", ("a.txt", b"x"))], {"tags": "x"}, "unknown part 'tags'"),
    ],
)
def test_malformed_parts(client: httpx.Client, files: list[Any], data: dict[str, str], message: str) -> None:
    boundary = {"files": files} if files else {"files": [("other", b"")]}
    reply = client.post("/ingest", data=data, **boundary)
    assert reply.status_code == 422, reply.text
    assert message in reply.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "message"),
    [
        (b"{", 400, "not JSON"),
        (b'{"documents": [{"text": "\xff"}]}', 400, "not UTF-8"),
        (b'{"documents": [{"text": "\\ud800"}]}', 400, "not JSON"),
        (b"[" * 100_000, 400, "not JSON"),
        (b"{}", 422, "documents: missing"),
        (b'{"documents": []}', 422, "documents"),
        (b'{"documents": [{"txt": "a"}]}', 422, "documents[0].text: missing"),
        (b'{"documents": [{"text": "a", "tags": 1}]}', 422, "documents[0].tags: unknown field"),
        (b'{"documents": [{"text": 5}]}', 422, "documents[0].text"),
        (b'{"documents": [{"text": "a", "id": ""}]}', 422, "documents[0].id"),
    ],
)
def test_malformed_json(client: httpx.Client, body: bytes, status: int, message: str) -> None:
    reply = client.post("/ingest", content=body, headers={"Content-Type": "application/json"})
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert message in reply.json()["detail"]


def test_another_content_type(client: httpx.Client) -> None:
    reply = client.post("/ingest", content=b"hello", headers={"Content-Type": "text/plain"})
    assert (reply.status_code, reply.json()["type"].rsplit("/", 1)[1]) == (400, "malformed-body")


def test_listing_getting_and_deleting(client: httpx.Client) -> None:
    ingest(client, *({"id": f"list-{n}", "text": f"Sandpiper number {n}."} for n in range(5)))
    seen: list[str] = []
    cursor: str | None = None
    while True:
        page = client.get("/documents", params={"limit": 2, **({"cursor": cursor} if cursor else {})}).json()
        assert len(page["documents"]) <= 2
        seen.extend(document["id"] for document in page["documents"])
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == sorted(seen)
    assert {f"list-{n}" for n in range(5)} <= set(seen)
    document = client.get("/documents/list-3").json()
    assert (document["text"], document["chunks"], document["stale"]) == ("Sandpiper number 3.", 1, False)
    assert client.delete("/documents/list-3").json() == {"deleted": 1}
    for reply in (client.get("/documents/list-3"), client.delete("/documents/list-3")):
        assert (reply.status_code, reply.json()["title"]) == (404, "There is no such thing here")
    assert len(texts(client, "sandpiper")) == 4
    filters = {"filters": {"document_id": ["list-0", "list-1", "absent"]}}
    assert client.request("DELETE", "/documents", json=filters).json() == {"deleted": 2}
    assert len(texts(client, "sandpiper")) == 2
    assert client.request("DELETE", "/documents", json={"filters": {}}).status_code == 422
    assert client.get("/documents", params={"cursor": "%%"}).status_code == 422
    assert client.get("/documents", params={"limit": 0}).status_code == 422


def test_an_upload_over_the_limit_is_refused_before_it_is_read(service: RunningService) -> None:
    """The head alone says too much: the answer comes though not one byte of the body was sent."""
    import socket
    from urllib.parse import urlsplit

    address = urlsplit(service.url)
    with socket.create_connection((address.hostname, address.port), timeout=10) as connection:
        lines = (
            "POST /ingest HTTP/1.1",
            "Host: x",
            "Content-Type: application/json",
            f"Content-Length: {2**40}",
        )
        connection.sendall("\r\n".join([*lines, "", ""]).encode())
        reply = connection.recv(65536)
    assert reply.startswith(b"HTTP/1.1 413 ")
    assert b"application/problem+json" in reply


def test_a_chunked_upload_over_the_limit_is_cut_off(client: httpx.Client) -> None:
    sent = 0

    def body() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(200):
            sent += 2**20
            yield b" " * 2**20

    try:
        status = client.post(
            "/ingest", content=body(), headers={"Content-Type": "application/json"}
        ).status_code
    except httpx.WriteError:
        status = 413  # the service had closed the connection before everything was sent
    assert status == 413
    assert sent < 150 * 2**20
