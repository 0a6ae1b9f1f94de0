"""All that is logged comes out in one form, without what nobody may read."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from ragfleet_operator.logs import configure_logs


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield io.StringIO()
    root.handlers = handlers
    root.setLevel(level)
    for name in ("ragfleet", "ragfleet_operator"):
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()


def test_our_events_and_those_of_libraries_are_json_of_the_same_form(output: io.StringIO) -> None:
    configure_logs("info", as_json=True, stream=output)
    structlog.get_logger("ragfleet.x").info("it began", pipeline="a/b")
    logging.getLogger("kopf.objects").warning("something is wrong")
    first, second = (json.loads(line) for line in output.getvalue().splitlines())
    assert first["event"] == "it began"
    assert first["pipeline"] == "a/b"
    assert second["event"] == "something is wrong"
    assert set(second) == {"event", "level", "logger", "timestamp"}


@pytest.mark.parametrize("level", ["debug", "info"])
def test_libraries_tell_no_details_whatever_the_level(output: io.StringIO, level: str) -> None:
    configure_logs(level, as_json=True, stream=output)
    logging.getLogger("kopf.objects").info("Patching with: secret")
    logging.getLogger("aiohttp.client").debug("a header")
    assert output.getvalue() == ""


def test_failed_requests_of_kopf_arent_told_one_by_one(output: io.StringIO) -> None:
    configure_logs("info", as_json=True, stream=output)
    kopf = logging.getLogger("kopf._cogs.clients.api")
    kopf.error("Request attempt #1/9 failed; will retry: GET https://x")
    assert output.getvalue() == ""
    kopf.error("another thing")
    assert "another thing" in output.getvalue()


def test_an_exception_is_told_without_local_variables(output: io.StringIO) -> None:
    configure_logs("info", as_json=True, stream=output)
    secret = "s3cr" + "et"
    try:
        int(secret[4:])
    except ValueError:
        structlog.get_logger("ragfleet.x").exception("it failed")
    assert "ValueError" in output.getvalue()
    assert secret not in output.getvalue()


def test_text_for_a_terminal(output: io.StringIO) -> None:
    configure_logs("warning", as_json=False, stream=output)
    structlog.get_logger("ragfleet.x").info("not this")
    structlog.get_logger("ragfleet.x").warning("but this", what=1)
    assert "not this" not in output.getvalue()
    assert "but this" in output.getvalue()
    assert "\x1b" not in output.getvalue()
