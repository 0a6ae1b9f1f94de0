from __future__ import annotations

from email.utils import formatdate
from time import time

import pytest

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_runtime.generate.faults import (
    Endpoint,
    cleaned,
    retry_after,
    said_in,
    status_error,
    stream_error,
    unreachable,
)

WITH_KEY = Endpoint("openai", "m-1", "http://llm:8000/v1", SecretKeyRef(name="llm", key="token"))
WITHOUT_KEY = Endpoint("openai", "m-1", "http://llm:8000/v1", None)
KEY = "sk-abcdef123456"


@pytest.mark.parametrize(
    ("status", "fault", "message"),
    [
        (400, "invalid_request", "refused the request (400): said"),
        (401, "unauthorized", "the key is refused: check entry token of Secret llm (401)"),
        (402, "forbidden", "the key may not use the model m-1 (402)"),
        (403, "forbidden", "the key may not use the model m-1 (403)"),
        (404, "not_found", "no model m-1 at http://llm:8000/v1 (404), check both: said"),
        (408, "timeout", "took too long (408): said"),
        (413, "invalid_request", "refused the request (413): said"),
        (429, "rate_limited", "too many requests, or nothing left of the quota (429): said"),
        (500, "unavailable", "failed (500): said"),
        (502, "unavailable", "failed (502): said"),
        (503, "overloaded", "overloaded (503): said"),
        (529, "overloaded", "overloaded (529): said"),
        (302, "bad_response", "answered with status 302: check baseURL"),
    ],
)
def test_each_status_is_a_fault_of_one_line(status: int, fault: str, message: str) -> None:
    error = status_error(WITH_KEY, status, "said", {}, KEY)
    assert (error.fault, str(error)) == (fault, f"openai: {message}")


def test_without_a_key_the_message_says_how_to_give_one() -> None:
    assert "name it in apiKeySecretRef" in str(status_error(WITHOUT_KEY, 401, "", {}, None))


@pytest.mark.parametrize(
    ("kind", "fault"),
    [
        ("overloaded_error", "overloaded"),
        ("rate_limit_error", "rate_limited"),
        ("invalid_request_error None", "invalid_request"),
        ("server_error 500", "unavailable"),
        ("None None", "unavailable"),
    ],
)
def test_each_error_within_a_stream_is_a_fault(kind: str, fault: str) -> None:
    error = stream_error(WITH_KEY, kind, "Too\nmuch", KEY)
    assert (error.fault, str(error)) == (fault, "openai: failed while it answered: Too much")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "-3"}, None),
        ({}, None),
    ],
)
def test_retry_after_is_read(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_may_be_a_date() -> None:
    assert retry_after({"retry-after": formatdate(time() + 30, usegmt=True)}) == pytest.approx(30, abs=2)
    assert retry_after({"retry-after": formatdate(time() - 30, usegmt=True)}) == 0.0


@pytest.mark.parametrize(
    "said",
    [
        f"Incorrect API key provided: {KEY}.",
        "Incorrect API key provided: sk-proj-AbC123***xyz9.",
        "bad token Bearer abcdef0123456789",
        "key-0123456789abcdef is unknown",
        "the key ab****yz is unknown",
    ],
)
def test_nothing_that_looks_like_a_key_is_repeated(said: str) -> None:
    for shown in (cleaned(said, KEY), str(status_error(WITH_KEY, 400, said, {}, KEY))):
        assert "***" in shown
        assert not any(part in shown for part in (KEY, "abcdef", "AbC123", "xyz9", "ab*"))
    assert KEY not in str(status_error(WITH_KEY, 401, said, {}, KEY))


def test_long_words_are_cut_and_lines_joined() -> None:
    assert cleaned("a\n b\t c", None) == "a b c"
    assert len(cleaned("word " * 200, None)) == 200
    assert cleaned(None, None) == cleaned({"a": 1}, None) == ""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"message": "no", "type": "x"}, "no"),
        ({"type": "error", "error": {"type": "x", "message": "no"}}, "no"),
        ({"error": "no"}, "{'error': 'no'}"),
        ({"error": {"message": {"a": 1}}}, "{'error': {'message': {'a': 1}}}"),
        ("<html>no</html>", "<html>no</html>"),
        (None, ""),
    ],
)
def test_the_words_of_an_error_are_found_in_either_form(body: object, said: str) -> None:
    assert said_in(body) == said


def test_the_innermost_cause_that_says_anything_is_told() -> None:
    outer, inner, silent = ConnectionError("a layer's words"), OSError(111, f"refused {KEY}"), TimeoutError()
    outer.__cause__, inner.__cause__ = inner, silent
    error = unreachable(WITH_KEY, outer, KEY)
    assert str(error) == "openai: http://llm:8000/v1 can't be reached: [Errno 111] refused ***"
    assert str(unreachable(WITH_KEY, silent, None)).endswith("can't be reached: TimeoutError")
