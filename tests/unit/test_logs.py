from __future__ import annotations

import json
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


def test_what_libraries_log_is_json_too() -> None:
    program = (
        "import logging\n"
        "from ragfleet_runtime.observe.logs import configure_logs\n"
        "configure_logs('info', as_json=True)\n"
        "logging.getLogger('uvicorn.error').warning('Invalid HTTP %s', 'request')\n"
        "def fail(document):\n"
        "    raise RuntimeError('it broke')\n"
        "try:\n"
        "    fail('a secret text')\n"
        "except RuntimeError:\n"
        "    logging.getLogger('asyncio').error('unhandled', exc_info=True)\n"
        "logging.getLogger('uvicorn.error').info('not shown')\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    first, second = (json.loads(line) for line in done.stderr.splitlines())
    assert (first["event"], first["level"], first["logger"]) == (
        "Invalid HTTP request",
        "warning",
        "uvicorn.error",
    )
    assert second["exception"][0]["exc_value"] == "it broke"
    assert "secret" not in done.stderr
