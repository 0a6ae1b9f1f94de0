from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.kinds import OPTIONAL, SECRET
from ragfleet_operator.model import Observation, Ref, Way
from ragfleet_operator.render import render
from ragfleet_runtime.guard.entries import read_keys
from ragfleet_runtime.guard.generated import new_key
from support.rendering import SETTINGS, make_pipeline, of_kind, rendered

KEYS = {"auth": {"required": True}}


def test_a_key_for_each_role_and_a_token_are_made_each_of_its_own() -> None:
    admin, keys = of_kind(rendered(KEYS), SECRET)
    assert (admin.name, keys.name) == ("handbook-admin", "handbook-api-keys")
    assert admin.way is keys.way is Way.ENSURED
    values = {**admin.manifest["stringData"], **keys.manifest["stringData"]}
    assert set(values) == {"token", "default.query", "default.ingest", "default.admin"}
    assert len(set(values.values())) == 4


def test_the_service_takes_what_is_made_as_its_keys() -> None:
    children = render(make_pipeline(KEYS), SETTINGS, Observation(), new_secret=new_key)
    _, keys = of_kind(children, SECRET)
    taken, refused = read_keys(keys.manifest["stringData"])
    assert not refused
    assert {(key.name, len(key.roles)) for key in taken} == {("default", 1), ("default", 3)}
    assert {role for key in taken for role in key.roles} == {"query", "ingest", "admin"}


@pytest.mark.parametrize(
    "auth", [{"required": False}, {"apiKeys": {"secretRef": {"name": "callers"}}}], ids=["none", "named"]
)
def test_no_keys_are_made_where_none_are_asked_for(auth: dict[str, Any]) -> None:
    assert [child.name for child in of_kind(rendered({"auth": auth}), SECRET)] == ["handbook-admin"]


@pytest.mark.parametrize("there", ["handbook-admin", "handbook-api-keys"])
def test_a_secret_that_is_there_is_wanted_and_gets_no_value(there: str) -> None:
    asked: list[str] = []

    def new_secret() -> str:
        asked.append("one")
        return new_key()

    seen = Observation(children={Ref(SECRET, there): {}}, kinds=OPTIONAL)
    children = of_kind(render(make_pipeline(KEYS), SETTINGS, seen, new_secret=new_secret), SECRET)
    assert [child.name for child in children] == ["handbook-admin", "handbook-api-keys"]
    (without,) = [child for child in children if "stringData" not in child.manifest]
    assert without.name == there
    assert len(asked) == (3 if there == "handbook-admin" else 1)
