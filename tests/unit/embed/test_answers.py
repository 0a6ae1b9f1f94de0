"""What HTTP answers of providers mean."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from ragfleet_api.config.models import RemoteEmbeddingConfig
from ragfleet_runtime.embed.answers import Refusals, fault_of, parse_json, retry_after
from ragfleet_runtime.errors import ProviderError
from support.embedding_models import KEY, remote_config

NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


def refusals(*, has_key: bool = True) -> Refusals:
    config = remote_config("OpenAI", "http://127.0.0.1:9", api_key=KEY if has_key else None)
    assert isinstance(config.provider, RemoteEmbeddingConfig)
    return Refusals("Somebody", config.provider)


@pytest.mark.parametrize(
    ("status", "fault"),
    [
        (301, "bad_response"),
        (400, "invalid_request"),
        (401, "unauthorized"),
        (402, "forbidden"),
        (403, "forbidden"),
        (404, "not_found"),
        (413, "invalid_request"),
        (422, "invalid_request"),
        (429, "rate_limited"),
        (500, "unavailable"),
        (502, "unavailable"),
        (503, "overloaded"),
        (504, "timeout"),
        (529, "overloaded"),
    ],
)
def test_every_status_has_its_fault(status: int, fault: str) -> None:
    assert fault_of(status) == fault
    error = refusals().status(status, {})
    assert error.fault == fault
    assert f"HTTP {status}" in str(error)
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        ("0.5", 0.5),
        ("0", 0.0),
        ("-3", 0.0),
        ("Sat, 21 Nov 2026 12:00:30 GMT", 30.0),
        ("Sat, 21 Nov 2026 11:00:00 GMT", 0.0),
        ("soon", None),
        ("nan", None),
        ("inf", None),
        ("1e9", None),
        ("", None),
    ],
)
def test_retry_after_is_a_number_or_a_date(value: str, seconds: float | None) -> None:
    assert retry_after({"retry-after": value}, NOW) == seconds


def test_without_the_header_there_is_no_retry_after() -> None:
    assert retry_after({}) is None


def test_only_what_may_pass_carries_a_retry_after() -> None:
    headers = {"retry-after": "3"}
    assert refusals().status(429, headers).retry_after == 3
    assert refusals().status(503, headers).retry_after == 3
    assert refusals().status(400, headers).retry_after is None


def test_a_refused_key_is_named_by_its_secret() -> None:
    assert "the entry token of the Secret models" in str(refusals().status(401, {}))
    assert "set apiKeySecretRef" in str(refusals(has_key=False).status(401, {}))


@pytest.mark.parametrize(
    ("code", "is_said"),
    [("context_length_exceeded", True), ("sk-abc123", False), ("What is my salary", False), (7, False)],
)
def test_only_a_plain_word_of_the_provider_is_said(code: object, is_said: bool) -> None:
    assert (str(code) in str(refusals().status(400, {}, code))) is is_said


def test_nan_in_an_answer_is_read_so_that_it_can_be_said() -> None:
    assert str(parse_json("Somebody", b'{"a": [NaN]}')) == "{'a': [nan]}"


def test_a_broken_answer_is_a_bad_response() -> None:
    with pytest.raises(ProviderError, match="isn't JSON") as raised:
        parse_json("Somebody", b'{"data": [{"ind')
    assert raised.value.fault == "bad_response"
