from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ragfleet_api.spec.runtime import Resources
from ragfleet_operator.kinds import DEPLOYMENT
from ragfleet_operator.render.quantity import amount
from ragfleet_operator.render.resources import resources
from support.rendering import one, rendered

DEFAULT_REQUESTS = {"cpu": "250m", "memory": "512Mi"}


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ({}, {"requests": DEFAULT_REQUESTS, "limits": {"memory": "1Gi"}}),
        ({"requests": {"cpu": "2"}}, {"requests": {"cpu": "2"}, "limits": {"memory": "1Gi"}}),
        ({"limits": {"cpu": "1"}}, {"requests": DEFAULT_REQUESTS, "limits": {"cpu": "1"}}),
        # A default that would be refused gives way.
        ({"requests": {"memory": "1.5Gi"}}, {"requests": {"memory": "1.5Gi"}, "limits": {"memory": "1.5Gi"}}),
        (
            {"limits": {"cpu": "0.1", "memory": "256Mi"}},
            {"requests": {"cpu": "0.1", "memory": "256Mi"}, "limits": {"cpu": "0.1", "memory": "256Mi"}},
        ),
        ({"requests": {}, "limits": {}}, {}),
    ],
)
def test_defaults_stand_for_what_is_left_out(section: dict[str, Any], expected: dict[str, Any]) -> None:
    assert resources(Resources.model_validate(section)) == expected
    pod = one(rendered({"runtime.resources": section}), DEPLOYMENT)["spec"]["template"]["spec"]
    assert pod["containers"][0].get("resources", {}) == expected


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", Fraction(0)),
        ("250m", Fraction(1, 4)),
        ("1.5", Fraction(3, 2)),
        ("2k", Fraction(2000)),
        ("2Ki", Fraction(2048)),
        ("0.5Mi", Fraction(2**19)),
        ("3M", Fraction(3_000_000)),
        ("1E", Fraction(10**18)),
        ("1Ei", Fraction(2**60)),
    ],
)
def test_an_amount_is_its_number_times_its_unit(text: str, number: Fraction) -> None:
    assert amount(text) == number


AMOUNTS = st.from_regex(r"\A[0-9]{1,4}(\.[0-9]{1,3})?(m|k|M|G|Ki|Mi|Gi)?\Z")


@given(st.dictionaries(st.sampled_from(["cpu", "memory"]), AMOUNTS), st.sampled_from(["requests", "limits"]))
def test_a_default_is_never_what_makes_a_request_more_than_its_limit(
    given_: dict[str, str], side: str
) -> None:
    made = resources(Resources.model_validate({side: given_}))
    limits = made.get("limits", {})
    for name, value in made.get("requests", {}).items():
        assert amount(value) <= amount(limits.get(name, value))
