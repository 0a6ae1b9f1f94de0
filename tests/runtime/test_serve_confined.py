"""The service as restricted pod security runs it: a user without rights, a read-only root file system.

Only the data folder and /tmp can be written. What the service does is done here: parsing in processes of its
own, embedding, rebuilding the index, answering, ending in order.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from support import confined
from support.configs import make_config
from support.embedding_models import MINILM, MINILM_NAME, need_minilm
from support.pod import KEYS, RunningPod, pod_folder, running_pod, until

ROOT = Path(__file__).parents[2]
UID = 65532
DOCUMENTS = ROOT / "examples/quickstart/docs"


@contextmanager
def confined_pod(folder: Path, **sections: Any) -> Iterator[RunningPod]:
    reason = confined.why_not()
    if reason is not None and not os.environ.get("CI"):
        pytest.skip(reason)
    assert reason is None, reason
    made = pod_folder(folder, make_config(auth={}, **sections))
    made.data.mkdir()
    before = [sys.executable, confined.__file__, "--uid", str(UID), "--data", str(made.data)]
    for needed in (made.path, ROOT, *([MINILM] if MINILM.is_dir() else [])):
        before += ["--need", str(needed)]
    # No CI, which silences some libraries; the home folder as a container without one has it.
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/", "LANG": "C.UTF-8"}
    with running_pod(made, before=[*before, "--"], environment=environment) as pod:
        yield pod


def ingest_everything(pod: RunningPod) -> int:
    files = sorted(path for path in DOCUMENTS.iterdir() if path.is_file())
    headers = {"Authorization": f"Bearer {KEYS['default.ingest']}"}
    sent = [("files", (path.name, path.read_bytes())) for path in files]
    reply = httpx.post(f"{pod.url}/ingest", files=sent, headers=headers, timeout=60).json()
    assert (reply["indexed"], reply["failed"]) == (len(files), 0), reply
    return len(files)


def inside(pod: RunningPod, path: Path | str) -> Path:
    """The path as the process sees it."""
    return Path(f"/proc/{pod.process.pid}/root{path}")


def assert_confined(pod: RunningPod) -> None:
    status = inside(pod, f"/proc/{pod.process.pid}/status").read_text()
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert fields["Uid"].split() == [str(UID)] * 4
    assert {fields[f"Cap{kind}"] for kind in ("Inh", "Prm", "Eff", "Amb")} == {"0" * 16}
    assert fields["NoNewPrivs"] == "1"
    for path in ("/", ROOT, sys.prefix, sys.base_prefix, "/dev/shm", Path.home()):
        if inside(pod, path).exists():
            assert os.statvfs(inside(pod, path)).f_flag & os.ST_RDONLY, path


def assert_nothing_complained(pod: RunningPod) -> None:
    """Every line is an event in JSON, of no consequence: libraries that can't write say so in plain text."""
    assert {event["level"] for event in pod.events()} == {"info"}, pod.log.read_text()


def assert_wrote_data_alone(pod: RunningPod, data: Path) -> None:
    """All that is in /tmp are the folders that lead to what was mounted there."""
    left = [path for path in inside(pod, "/tmp").rglob("*") if path.stat().st_uid == UID]
    assert [path for path in left if not path.is_relative_to(inside(pod, data))] == []


def test_a_pipeline_without_a_model_runs_on_a_read_only_root(tmp_path: Path) -> None:
    with confined_pod(tmp_path / "pod") as pod:
        pod.wait_until_ready()
        assert_confined(pod)
        count = ingest_everything(pod)
        until(lambda: bool(pod.status()["documents"] == count), 5)
        answer = pod.post("/query", {"query": "How do I rotate an API key?"}, "query").json()
        assert answer["citations"]
        assert_wrote_data_alone(pod, tmp_path / "pod/data")
        assert pod.stop() == 0
        assert_nothing_complained(pod)


def test_hybrid_search_with_a_local_model_runs_on_a_read_only_root(tmp_path: Path) -> None:
    need_minilm()
    embedding = {
        "type": "FastEmbed",
        "fastEmbed": {"model": MINILM_NAME, "path": str(MINILM.resolve()), "threads": 1},
    }
    # So few vectors make a rebuild of the index worth its while, which copies it and starts a process.
    store = {"type": "Embedded", "index": {"optimizer": {"indexingThresholdKilobytes": 10}}}
    with confined_pod(tmp_path / "pod", embedding=embedding, vectorStore=store) as pod:
        pod.wait_until_ready()
        assert_confined(pod)
        ingest_everything(pod)
        until(lambda: any(event["event"] == "index rebuilt" for event in pod.events()), 60)
        found = pod.post("/search", {"query": "How do I rotate an API key?"}, "query").json()
        assert (found["mode"], found["degraded"]) == ("hybrid", [])
        assert found["results"]
        assert_wrote_data_alone(pod, tmp_path / "pod/data")
        assert pod.stop() == 0
        assert_nothing_complained(pod)
