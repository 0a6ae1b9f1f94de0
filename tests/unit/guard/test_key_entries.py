from __future__ import annotations

import hmac
from typing import Any

import pytest

from ragfleet_runtime.guard import entries
from ragfleet_runtime.guard.entries import MAX_CHARACTERS, find, read_keys

KEY = "k" * 16
NAMED = "entries are named NAME.ROLE, or NAME.ROLE.ROLE for several roles: query, ingest, admin"
LENGTHS = f"a key has 16 to {MAX_CHARACTERS} characters, and this has"
SIGNS = "a key has only letters, digits and signs of ASCII, and no spaces: a header can't carry others"


@pytest.mark.parametrize(
    ("entry", "name", "roles"),
    [
        ("alice.query", "alice", {"query"}),
        ("loader_1.ingest", "loader_1", {"ingest"}),
        ("app.query.ingest", "app", {"query", "ingest"}),
        ("root.admin", "root", {"query", "ingest", "admin"}),
        ("root.query.admin", "root", {"query", "ingest", "admin"}),
        ("twice.query.query", "twice", {"query"}),
    ],
)
def test_an_entry_names_a_key_and_its_roles(entry: str, name: str, roles: set[str]) -> None:
    (key,), refused = read_keys({entry: KEY})
    assert (key.name, set(key.roles)) == (name, roles)
    assert not refused
    assert find([key], KEY.encode()) is key


@pytest.mark.parametrize(
    ("entry", "value", "reason"),
    [
        ("alice", KEY, NAMED),
        (".query", KEY, NAMED),
        ("alice.", KEY, NAMED),
        ("alice..query", KEY, NAMED),
        ("alice.reader", KEY, f"reader is not a role; {NAMED}"),
        ("alice.query.Admin", KEY, f"Admin is not a role; {NAMED}"),
        ("alice.smith.query", KEY, f"smith is not a role; {NAMED}"),
        ("alice.query", "", f"{LENGTHS} 0"),
        ("alice.query", "short", f"{LENGTHS} 5"),
        ("alice.query", "k" * 15, f"{LENGTHS} 15"),
        ("alice.query", "k" * (MAX_CHARACTERS + 1), f"{LENGTHS} {MAX_CHARACTERS + 1}"),
        ("alice.query", "two words, sixteen", SIGNS),
        ("alice.query", "first-line-of-two\nsecond", SIGNS),
        ("alice.query", "schlüssel-mit-umlaut", SIGNS),
        ("alice.query", "half of a pair \ud800", SIGNS),
        ("alice.query", "a-nul-among-others\0", SIGNS),
    ],
)
def test_an_entry_that_is_no_key_is_refused_alone(entry: str, value: str, reason: str) -> None:
    keys = read_keys({entry: value, "other.query": "o" * 16})
    assert [key.name for key in keys.taken] == ["other"]
    assert keys.refused == ((entry, reason),)


@pytest.mark.parametrize("length", [16, MAX_CHARACTERS])
def test_keys_of_every_length_between(length: int) -> None:
    assert read_keys({"a.query": "k" * length}).taken


def test_one_name_may_have_several_keys() -> None:
    keys = read_keys({"app.query": "1" * 16, "app.ingest": "2" * 16}).taken
    assert [(key.name, sorted(key.roles)) for key in keys] == [("app", ["ingest"]), ("app", ["query"])]


def test_the_same_key_under_two_names_counts_once_and_is_told() -> None:
    keys = read_keys({"b.admin": KEY, "a.query": KEY})
    assert [key.name for key in keys.taken] == ["a"]
    assert keys.refused == (("b.admin", "it holds the same key as the entry a.query"),)


def test_a_refused_entry_does_not_stand_in_the_way_of_its_double() -> None:
    keys = read_keys({"a.reader": KEY, "b.query": KEY})
    assert [key.name for key in keys.taken] == ["b"]


@pytest.mark.parametrize("presented", [b"", b"k", KEY[:-1].encode(), KEY.encode() + b"k", b"\xff" * 16])
def test_nothing_but_the_key_is_the_key(presented: bytes) -> None:
    assert find(read_keys({"a.query": KEY}).taken, presented) is None


def test_every_key_is_compared_whichever_is_right(monkeypatch: pytest.MonkeyPatch) -> None:
    values = {f"name{n:02}.query": f"{n:02}" * 8 for n in range(20)}
    keys = read_keys(values).taken
    compared: list[tuple[Any, Any]] = []

    def compare(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return hmac.compare_digest(one, other)

    class Counting:
        compare_digest = staticmethod(compare)

    monkeypatch.setattr(entries, "hmac", Counting)
    for presented in (values["name00.query"], values["name19.query"], "wrong" * 4):
        compared.clear()
        find(keys, presented.encode())
        assert [one for one, _ in compared] == [key.digest for key in keys]
        assert {len(other) for _, other in compared} == {32}


def test_neither_a_key_nor_a_refusal_shows_a_value() -> None:
    keys = read_keys({"a.query": "secret-secret-secret", "b.query": "secret-short"})
    assert "secret" not in repr(keys)
    assert repr(keys.taken[0].digest) not in repr(keys)
