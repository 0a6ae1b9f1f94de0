"""Versions of the configuration: what is written for services of the version before."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import pytest

from ragfleet_api.config.runtime import RuntimeConfig
from ragfleet_api.config.versions import (
    CURRENT_VERSION,
    DOWNGRADES,
    READ_VERSIONS,
    SUPPORTED_VERSIONS,
    ConfigVersionError,
    render_config,
    written_versions,
)
from support.configs import make_config

# There is one version so far, so the one before it is made up here: it had no limits of requests but a
# number, and knew one language.
OLDER: Final = CURRENT_VERSION - 1


def downgrade(config: Mapping[str, Any]) -> dict[str, Any]:
    if config["retrieval"]["sparse"]["language"] != "English":
        raise ConfigVersionError("retrieval.bm25.language has no place in it: take it away")
    rest = {name: value for name, value in config.items() if name != "requests"}
    return {**rest, "deadlineSeconds": config["requests"]["deadlineSeconds"]}


def test_the_version_of_the_models_is_the_newest_that_is_written_and_is_read() -> None:
    assert make_config().config_version == CURRENT_VERSION == SUPPORTED_VERSIONS[0]
    assert CURRENT_VERSION in READ_VERSIONS


def test_the_version_before_is_the_only_other_that_is_written() -> None:
    assert set(DOWNGRADES) <= {CURRENT_VERSION - 1}
    assert written_versions() == SUPPORTED_VERSIONS
    assert written_versions({OLDER: downgrade}) == (CURRENT_VERSION, OLDER)


@pytest.mark.parametrize("older", [{}, {OLDER: downgrade}])
def test_the_current_version_is_written_as_it_is(older: Mapping[int, Any]) -> None:
    config = make_config()
    text = render_config(config, CURRENT_VERSION, downgrades=older)
    assert text == config.canonical_json()
    assert RuntimeConfig.model_validate_json(text) == config


def test_an_older_version_is_written_in_its_own_form_and_says_its_number() -> None:
    config = make_config(requests={"deadlineSeconds": 45})
    text = render_config(config, OLDER, downgrades={OLDER: downgrade})
    found, current = json.loads(text), json.loads(config.canonical_json())
    assert found.pop("configVersion") == OLDER
    assert found.pop("deadlineSeconds") == 45
    assert current.pop("configVersion") == CURRENT_VERSION
    assert current.pop("requests") == {"deadlineSeconds": 45}
    assert found == current


def test_an_older_version_is_canonical_too() -> None:
    text = render_config(make_config(), OLDER, downgrades={OLDER: downgrade})
    assert text == json.dumps(json.loads(text), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def test_what_an_older_version_has_no_place_for_is_not_left_out_in_silence() -> None:
    config = make_config(retrieval={"bm25": {"language": "French"}})
    with pytest.raises(ConfigVersionError, match="has no place"):
        render_config(config, OLDER, downgrades={OLDER: downgrade})


@pytest.mark.parametrize(
    ("version", "older", "written"),
    [(CURRENT_VERSION + 1, {}, f"{CURRENT_VERSION}"), (OLDER, {}, f"{CURRENT_VERSION}"),
     (OLDER - 1, {OLDER: downgrade}, f"{CURRENT_VERSION} and {OLDER}")],
)  # fmt: skip
def test_another_version_is_refused_in_one_line(version: int, older: Mapping[int, Any], written: str) -> None:
    with pytest.raises(ConfigVersionError) as caught:
        render_config(make_config(), version, downgrades=older)
    assert str(caught.value) == (
        f"the service's image reads configVersion {version}, and this operator writes {written}: "
        "name an image of the operator's version in spec.runtime.image, or run an operator of the image's"
    )
