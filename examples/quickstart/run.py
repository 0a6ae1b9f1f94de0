"""The quickstart, as ``make run`` runs it: start a pipeline, ingest documents, ask a question, serve."""

from __future__ import annotations

import argparse
import shlex
import signal
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent
QUESTION = "How do I rotate an API key?"


def main() -> int:
    """Run the quickstart; returns the exit code of what failed, or 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", default="8080")
    parser.add_argument("--once", action="store_true", help="stop after the answer")
    chosen = parser.parse_args()
    ragfleet = [sys.executable, "-m", "ragfleet_cli"]
    up = [*ragfleet, "up", "-f", str(HERE / "pipeline.yaml"), "--port", chosen.port, "--log-level", "warning"]
    # A session of its own, so that Ctrl-C reaches this script alone, which then ends the service in order.
    with subprocess.Popen(up, stdout=subprocess.PIPE, text=True, start_new_session=True) as service:
        try:
            url = _address(service)
            if url is None:
                return service.wait()
            failed = _step([*ragfleet, "ingest", str(HERE / "docs"), "--url", url])
            failed = failed or _step([*ragfleet, "ask", QUESTION, "--url", url])
            if failed or chosen.once:
                return failed
            print(f"\nServing at {url} (documentation: {url}/docs). Ctrl-C stops.", flush=True)
            return service.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            service.send_signal(signal.SIGTERM)


def _address(service: subprocess.Popen[str]) -> str | None:
    """The address that the service prints once it is ready, or None where it ended instead."""
    for line in service.stdout or ():
        print(line, end="", flush=True)
        for word in line.split():
            if word.startswith("http://"):
                return word
    return None


def _step(command: list[str]) -> int:
    print(f"\n$ ragfleet {shlex.join(command[3:])}", flush=True)
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
