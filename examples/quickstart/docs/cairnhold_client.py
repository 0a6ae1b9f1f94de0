"""A small client for the Cairnhold API, to copy into your own program.

It needs nothing beyond the standard library and shows the three things that every client should do:
send the key in a header, wait as long as the server asks when it is busy, and check what was downloaded.

    client = CairnholdClient("storage.example", os.environ["CAIRNHOLD_KEY"])
    client.put("reports", "2026/august.pdf", Path("august.pdf").read_bytes())
"""

from __future__ import annotations

import hashlib
import json
import ssl
import time
from collections.abc import Iterator
from http.client import HTTPMessage, HTTPSConnection
from urllib.parse import quote, urlencode

API_PORT = 7480
MAX_ATTEMPTS = 5
LIST_PAGE_SIZE = 1000
SINGLE_REQUEST_LIMIT = 5 * 2**30  # bytes; larger objects need a multipart upload

HTTP_NO_CONTENT = 204
HTTP_TOO_MANY_REQUESTS = 429
HTTP_UNAVAILABLE = 503


class CairnholdError(Exception):
    """The server refused a request. ``code`` is the error code, for example CH-2105."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{code} (status {status}): {message}")
        self.status = status
        self.code = code


class CorruptDownloadError(Exception):
    """The bytes received don't have the checksum that the server announced."""


class CairnholdClient:
    """Talks to one cluster with one key. Not safe to share between threads: make one per thread."""

    def __init__(self, host: str, key: str, *, timeout_seconds: float = 30.0) -> None:
        self._host = host
        self._key = key
        self._timeout_seconds = timeout_seconds
        self._tls = ssl.create_default_context()

    def put(self, bucket: str, name: str, content: bytes) -> None:
        """Store an object, replacing any object of that name. The key needs the ``write`` scope.

        The checksum travels with the request, so that the server rejects content damaged on the way.
        """
        if len(content) > SINGLE_REQUEST_LIMIT:
            raise ValueError("objects above 5 GiB need a multipart upload: use `cairnctl put`")
        checksum = hashlib.sha256(content).hexdigest()
        self._request("PUT", _object_path(bucket, name), content, {"X-Cairnhold-Sha256": checksum})

    def get(self, bucket: str, name: str) -> bytes:
        """Read an object and compare it with its checksum. The key needs the ``read`` scope."""
        content, headers = self._request("GET", _object_path(bucket, name))
        if hashlib.sha256(content).hexdigest() != headers["X-Cairnhold-Sha256"]:
            raise CorruptDownloadError(f"{bucket}/{name} arrived damaged: read it again")
        return content

    def delete(self, bucket: str, name: str) -> None:
        """Move an object to the bin, from which it can be restored for seven days."""
        self._request("DELETE", _object_path(bucket, name))

    def names(self, bucket: str, prefix: str = "") -> Iterator[str]:
        """List the names of all objects under a prefix, in order, fetched in pages of 1,000."""
        after = ""
        while True:
            query = urlencode({"prefix": prefix, "after": after, "limit": LIST_PAGE_SIZE})
            content, _ = self._request("GET", f"/v3/buckets/{quote(bucket)}/objects?{query}")
            page: list[str] = json.loads(content)["names"]
            yield from page
            if len(page) < LIST_PAGE_SIZE:
                return
            after = page[-1]

    def _request(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[bytes, HTTPMessage]:
        """Send a request, at most five times while the server is busy (status 429 or 503)."""
        for attempt in range(1, MAX_ATTEMPTS + 1):
            status, answer_headers, answer = self._send(method, path, body, headers or {})
            busy = status in (HTTP_TOO_MANY_REQUESTS, HTTP_UNAVAILABLE)
            if not busy or attempt == MAX_ATTEMPTS:
                break
            time.sleep(_pause_seconds(attempt, answer_headers.get("Retry-After")))
        if status > HTTP_NO_CONTENT:
            problem = json.loads(answer)
            raise CairnholdError(status, problem["code"], problem["message"])
        return answer, answer_headers

    def _send(
        self, method: str, path: str, body: bytes, headers: dict[str, str]
    ) -> tuple[int, HTTPMessage, bytes]:
        connection = HTTPSConnection(self._host, API_PORT, timeout=self._timeout_seconds, context=self._tls)
        try:
            connection.request(method, path, body, {"Authorization": f"Bearer {self._key}", **headers})
            response = connection.getresponse()
            return response.status, response.headers, response.read()
        finally:
            connection.close()


def _object_path(bucket: str, name: str) -> str:
    return f"/v3/buckets/{quote(bucket)}/objects/{quote(name)}"


def _pause_seconds(attempt: int, retry_after: str | None) -> float:
    """Return what the server asked for; otherwise half a second, doubled after each attempt."""
    if retry_after is not None:
        return float(retry_after)
    return 0.5 * 2.0 ** (attempt - 1)
