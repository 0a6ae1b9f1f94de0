"""What is applied is JSON that the API server's YAML reads as it was meant."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from ragfleet_operator.engine.client import as_yaml


@given(st.text())
def test_a_body_is_json_without_what_yaml_reads_otherwise(text: str) -> None:
    body = as_yaml({"note": text})
    assert json.loads(body) == {"note": text}
    shown = body.decode()
    assert not any(
        "\x7f" <= character <= "\x9f" or character in "\u2028\u2029\ufeff\ufffe\uffff" for character in shown
    )


def test_characters_beyond_the_first_plane_stand_for_themselves() -> None:
    assert as_yaml({"note": "😀\x85"}) == '{"note":"😀\\u0085"}'.encode()
