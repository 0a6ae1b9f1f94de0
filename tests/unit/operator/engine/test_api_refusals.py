"""Refusals of the API server become exceptions that say what matters. The bodies are those of a real one."""

from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.engine import errors
from ragfleet_operator.engine.answers import refusal
from ragfleet_operator.engine.errors import Held


def status(message: str, *causes: dict[str, str]) -> dict[str, Any]:
    return {"kind": "Status", "message": message, "details": {"causes": list(causes)}}


IMMUTABLE = {
    "reason": "FieldValueInvalid",
    "message": 'Invalid value: {"matchLabels":{"a":"c: d"}}: field is immutable',
    "field": "spec.selector",
}
SHRUNK = {
    "reason": "FieldValueForbidden",
    "message": "Forbidden: field can not be less than status.capacity",
    "field": "spec.resources.requests.storage",
}
OTHER_UID = {"message": 'Invalid value: "0000": field is immutable', "field": "metadata.uid"}
ENDING = {"reason": "NamespaceTerminating", "message": "namespace q is being terminated"}
CASES = [
    (401, status("Unauthorized"), errors.Unauthorized),
    (403, status('services is forbidden: User "x" cannot create'), errors.Forbidden),
    (403, status('configmaps "a" is forbidden: exceeded quota: q, requested'), errors.QuotaExceeded),
    (403, status("unable to create new content", ENDING), errors.NamespaceTerminating),
    (404, {}, errors.NotFound),
    (409, status("the object has been modified"), errors.Conflict),
    (410, status("too old resource version"), errors.Gone),
    (422, status("invalid", IMMUTABLE), errors.Invalid),
    (422, status("invalid", OTHER_UID), errors.Conflict),
    (429, status("too many requests"), errors.TooManyRequests),
    (500, status("failed to create typed patch object (/d): .spec.bogus: not declared"), errors.Invalid),
    (500, status("etcdserver: request timed out"), errors.Unavailable),
    (503, {}, errors.Unavailable),
]


@pytest.mark.parametrize(("code", "body", "kind"), CASES)
def test_each_refusal_has_its_exception(code: int, body: dict[str, Any], kind: type[Exception]) -> None:
    assert type(refusal(code, body)) is kind


@pytest.mark.parametrize(("cause", "is_immutable"), [(IMMUTABLE, True), (SHRUNK, True)])
def test_what_cannot_change_is_told_from_what_is_wrong(cause: dict[str, str], is_immutable: bool) -> None:
    error = refusal(422, status("invalid", cause))
    assert isinstance(error, errors.Invalid)
    assert error.immutable is is_immutable


def test_a_refused_value_is_not_repeated() -> None:
    error = refusal(422, status("invalid: everything", IMMUTABLE))
    assert str(error) == "spec.selector: field is immutable"
    unknown = {"message": 'Unsupported value: "Canary": supported values: "A", "B"', "field": "spec.type"}
    assert str(refusal(422, status("x", unknown))) == 'spec.type: supported values: "A", "B"'


def test_a_conflict_names_managers_and_fields() -> None:
    causes = [
        {"reason": "FieldManagerConflict", "message": 'conflict with "helm"', "field": ".data.x"},
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "kubectl-edit" using apps/v1',
            "field": ".spec.replicas",
        },
    ]
    error = refusal(409, status("Apply failed with 2 conflicts", *causes))
    assert isinstance(error, errors.Conflict)
    assert error.held == (Held("helm", ".data.x"), Held("kubectl-edit", ".spec.replicas"))


@pytest.mark.parametrize(("header", "seconds"), [("3", 3.0), (None, 1.0), ("soon", 1.0), ("9999", 60.0)])
def test_how_long_to_wait_is_read_and_bounded(header: str | None, seconds: float) -> None:
    error = refusal(429, {}, header)
    assert isinstance(error, errors.TooManyRequests)
    assert error.retry_after == seconds


def test_a_message_is_one_line_and_short() -> None:
    assert str(refusal(500, {"message": "a\nb"})) == "a b"
    assert len(str(refusal(500, {"message": "x" * 5000}))) == 400
