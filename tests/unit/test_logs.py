from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import structlog
from ragfleet_runtime.observe.logs import configure_logs
configure_logs("info", as_json={as_json})
def fail(document):
    raise RuntimeError("it broke")
try:
    fail("a secret text")
except RuntimeError:
    structlog.get_logger("x").exception("request failed", request_id="abc")
structlog.get_logger("x").debug("not shown")
"""


@pytest.mark.parametrize("as_json", [True, False])
def test_errors_are_logged_without_what_the_variables_hold(as_json: bool) -> None:
    program = PROGRAM.format(as_json=as_json)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "it broke" in done.stderr
    assert "abc" in done.stderr
    assert "not shown" not in done.stderr
    logged = done.stderr.replace('fail("a secret text")', "")  # the source line of a frame may be shown
    assert "secret" not in logged
    assert done.stdout == ""
