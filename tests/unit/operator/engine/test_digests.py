"""Digests of values: the same for the same, another for anything else, and of no use to who reads them."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest

from ragfleet_operator.engine.digests import DigestKey, Marker
from ragfleet_operator.kinds import CONFIG_MAP, PVC, SECRET, Kind
from ragfleet_operator.model import Ref

TOKEN = b"rf_a-token-of-43-characters-0123456789abcdef"


def obj(name: str = "qdrant", **fields: Mapping[str, str]) -> dict[str, Any]:
    return {"metadata": {"namespace": "default", "name": name}, **fields}


def admin(token: str) -> dict[str, Any]:
    return obj("handbook-admin", data={"token": token})


def digest(kind: Kind, found: Mapping[str, Any], key: DigestKey | None = None) -> str:
    key = key or DigestKey(TOKEN)
    ref = Ref(kind, found["metadata"]["name"])
    return key.digest((ref, entry, value) for entry, value in key.sums(kind, found).items())


def test_a_digest_is_the_same_in_every_version_of_the_operator() -> None:
    """Where this fails, an upgrade of the operator rolls the pods of every pipeline that has a digest."""
    assert digest(SECRET, obj(data={"ca": "Y2E=", "key": "a2V5"})) == "d4370e07899929f4725bd2e34886db4b"


def test_a_digest_tells_any_change() -> None:
    found = {
        digest(SECRET, obj(data={"ca": "Y2E="})),
        digest(SECRET, obj(data={"ca": "Y2F="})),
        digest(SECRET, obj(data={"cb": "Y2E="})),
        digest(SECRET, obj("other", data={"ca": "Y2E="})),
        digest(CONFIG_MAP, obj(data={"ca": "Y2E="})),
        digest(CONFIG_MAP, obj(binaryData={"ca": "Y2E="})),
        digest(SECRET, obj(data={"ca": "Y2E=", "b": "Yg=="})),
        digest(SECRET, obj(data={"ca": "Y2E="}), DigestKey(b"the token of another pipeline")),
    }
    assert len(found) == 8
    assert all(len(one) == 32 for one in found)


def test_neither_the_order_nor_what_is_not_a_value_counts() -> None:
    one = obj(data={"a": "YQ==", "b": "Yg==", "empty": ""})
    other = {**obj(data={"b": "Yg==", "a": "YQ=="}), "type": "Opaque"}
    other["metadata"]["resourceVersion"] = "7"
    assert digest(SECRET, one) == digest(SECRET, other)
    assert DigestKey(TOKEN).sums(PVC, obj(data={"a": "b"})) == {}


def test_values_that_are_text_or_large_are_hashed_too() -> None:
    found = obj(data={"ca.pem": "Zürich\n" * 50_000})
    assert digest(CONFIG_MAP, found) != digest(CONFIG_MAP, obj(data={"ca.pem": "Zürich\n" * 50_001}))


def test_the_key_is_the_admin_token_without_what_people_put_around_it() -> None:
    plain = DigestKey.of(admin(base64.b64encode(TOKEN).decode()))
    padded = DigestKey.of(admin(base64.b64encode(b" " + TOKEN + b"\n").decode()))
    assert plain is not None
    assert padded is not None
    found = obj(data={"ca": "Y2E="})
    assert digest(SECRET, found) == digest(SECRET, found, plain) == digest(SECRET, found, padded)


@pytest.mark.parametrize("secret", [obj(), obj(data={}), admin(""), admin("IAo="), admin("%%%"), admin("ä")])
def test_a_secret_without_a_token_gives_no_key(secret: dict[str, Any]) -> None:
    assert DigestKey.of(secret) is None


def test_a_mark_tells_a_change_within_a_process_and_nothing_beyond_it() -> None:
    marker = Marker()
    one, same, other = obj(data={"a": "b"}), obj("other", data={"a": "b"}), obj(data={"a": "c"})
    assert marker.mark(CONFIG_MAP, one) == marker.mark(CONFIG_MAP, same) != marker.mark(CONFIG_MAP, other)
    assert marker.mark(CONFIG_MAP, one) != marker.mark(CONFIG_MAP, obj(binaryData={"a": "b"}))
    assert marker.mark(CONFIG_MAP, one) != Marker().mark(CONFIG_MAP, one)


def test_keys_do_not_show_themselves() -> None:
    key = DigestKey(TOKEN)
    shown = f"{key!r} {key} {Marker()!r}"
    assert TOKEN.decode() not in shown
    assert shown == "DigestKey(…) DigestKey(…) Marker(…)"
    assert not hasattr(key, "__dict__")
