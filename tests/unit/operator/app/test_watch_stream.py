"""The bytes of a watch, however they are cut, give every event once and in order."""

from __future__ import annotations

import itertools
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_operator.stream import EventReader, MalformedError
from support.watch_server import error, event, service

EVENTS = (
    event("ADDED", service("a", 11)),
    event("MODIFIED", service("ä\u2028\n", 12)),
    b"\n",
    b" \r\n",
    event("DELETED", service("a", 13)),
    event("MODIFIED", service("b", 14, annotations={"large": "x" * 3000})),
)
SEEN = [("ADDED", "11"), ("MODIFIED", "12"), ("DELETED", "13"), ("MODIFIED", "14")]
BOOKMARK = b'{"type":"BOOKMARK","object":{"metadata":{"resourceVersion":"%s"}}}\n'


class Reading:
    """A reader, and what it took: types and versions."""

    def __init__(self) -> None:
        self.seen: list[tuple[str | None, str]] = []
        self.reader = EventReader(self._take)

    def _take(self, type_: str | None, obj: Any) -> None:
        self.seen.append((type_, obj["metadata"]["resourceVersion"]))


def test_several_events_in_a_chunk_are_one_bookmark_for_kopf() -> None:
    reading = Reading()
    assert reading.reader.feed(b"".join(EVENTS)) == BOOKMARK % b"14"
    assert reading.seen == SEEN
    assert reading.reader.end() == b""


@given(st.lists(st.integers(1, sum(map(len, EVENTS)) - 1), max_size=12))
def test_wherever_chunks_end_each_event_is_taken_once_and_in_order(cuts: list[int]) -> None:
    text = b"".join(EVENTS)
    reading = Reading()
    places = [0, *sorted(cuts), len(text)]
    told = b"".join(reading.reader.feed(text[start:end]) for start, end in itertools.pairwise(places))
    assert reading.seen == SEEN
    versions = [orjson.loads(line)["object"]["metadata"]["resourceVersion"] for line in told.splitlines()]
    assert versions == sorted(versions)
    assert versions[-1] == "14"


def test_a_half_line_tells_nothing_until_its_end_comes() -> None:
    reading = Reading()
    line = EVENTS[0]
    assert reading.reader.feed(line[:20]) == b""
    assert reading.reader.feed(line[20:-1]) == b""
    assert reading.seen == []
    assert reading.reader.feed(line[-1:] + line[:3]) == BOOKMARK % b"11"
    assert reading.seen == [("ADDED", "11")]


def test_a_last_line_without_an_end_is_taken_where_it_is_whole() -> None:
    reading = Reading()
    reading.reader.feed(EVENTS[0] + EVENTS[4].rstrip())
    assert reading.reader.end() == BOOKMARK % b"13"
    assert reading.seen == [("ADDED", "11"), ("DELETED", "13")]
    reading.reader.feed(EVENTS[0][:-9])
    with pytest.raises(MalformedError, match="isn't JSON"):
        reading.reader.end()


def test_bookmarks_and_errors_are_passed_on_and_objects_are_not() -> None:
    reading = Reading()
    mark = {"kind": "Service", "metadata": {"resourceVersion": "99"}}
    assert reading.reader.feed(event("BOOKMARK", mark)) == BOOKMARK % b"99"
    assert reading.seen == []
    assert reading.reader.feed(error(410)) == error(410)
    assert reading.reader.feed(EVENTS[0] + error(500)) == BOOKMARK % b"11" + error(500)
    assert reading.reader.feed(event("BOOKMARK", {"metadata": {}})) == b""


def test_what_kopf_would_log_with_the_object_is_left_out() -> None:
    reading = Reading()
    assert reading.reader.feed(event("RENAMED", service("secret", 1))) == b""
    assert reading.seen == []


@pytest.mark.parametrize(
    "line",
    [
        b"<html>canary</html>",
        b'{"type":"ADDED","object":{"canary":',
        b'{"type":"ADDED","object":"canary\xff"}',
        b'["canary"]',
        b'"canary"',
        b'{"object":{"metadata":{"name":"canary"}}}',
        b'{"type":"ADDED","object":["canary"]}',
        b'{"type":"ADDED","object":{"data":"canary"}}',
        event("ADDED", {"metadata": {"name": "canary", "namespace": "default", "uid": "u"}}).strip(),
        event("MODIFIED", service("canary", 1, resourceVersion="")).strip(),
        event("DELETED", service("canary", 1, uid=None)).strip(),
    ],
)
def test_what_isnt_an_event_is_said_without_telling_it(line: bytes) -> None:
    reading = Reading()
    with pytest.raises(MalformedError) as raised:
        reading.reader.feed(EVENTS[0] + line + b"\n" + EVENTS[4])
    assert "canary" not in str(raised.value)
    assert raised.value.__cause__ is None
    # What came before was told; what comes after isn't told past a gap.
    assert reading.seen == [("ADDED", "11")]
