"""The pages of a list give each object, and at their end what there is."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

import orjson
import pytest

from ragfleet_operator.listing import Listing
from ragfleet_operator.stream import MalformedError
from support.watch_server import service


class Reading:
    """A list, and what it told."""

    def __init__(self) -> None:
        self.seen: list[tuple[str | None, str]] = []
        self.ends: list[tuple[Set[tuple[str, str]], str]] = []
        self.listing = Listing(self._take, lambda names, version: self.ends.append((names, version)))

    def _take(self, type_: str | None, obj: Any) -> None:
        self.seen.append((type_, obj["metadata"]["name"]))


def page(*items: Any, **metadata: Any) -> bytes:
    return orjson.dumps({"kind": "ServiceList", "apiVersion": "v1", "metadata": metadata, "items": items})


def test_a_list_is_taken_and_kopf_gets_it_without_objects() -> None:
    reading = Reading()
    left = reading.listing.page(page(service("a", 3), service("b", 5, "other"), resourceVersion="9"))
    assert orjson.loads(left) == {
        "kind": "ServiceList",
        "apiVersion": "v1",
        "metadata": {"resourceVersion": "9"},
        "items": [],
    }
    assert reading.seen == [(None, "a"), (None, "b")]
    assert reading.ends == [({("default", "a"), ("other", "b")}, "9")]


def test_what_there_is_is_told_after_the_last_page() -> None:
    reading = Reading()
    left = orjson.loads(reading.listing.page(page(service("a", 3), resourceVersion="9", **{"continue": "x"})))
    assert left["metadata"] == {"resourceVersion": "9", "continue": "x"}
    assert reading.ends == []
    reading.listing.page(page(service("b", 4), resourceVersion="9", **{"continue": ""}))
    assert reading.ends == [({("default", "a"), ("default", "b")}, "9")]


def test_an_empty_list_says_that_nothing_is_there() -> None:
    for items in (b"[]", b"null"):
        reading = Reading()
        reading.listing.page(b'{"metadata":{"resourceVersion":"9"},"items":%s}' % items)
        assert reading.ends == [(set(), "9")]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        page(),
        page(resourceVersion=""),
        page({"metadata": {}}, resourceVersion="9"),
    ],
)
def test_what_isnt_a_list_ends_nothing(body: bytes) -> None:
    reading = Reading()
    with pytest.raises(MalformedError):
        reading.listing.page(body)
    assert reading.ends == []
