"""What happens when something breaks: kill -9, a full disk, a port or a folder in use, a wrong manifest."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from support.service import MANIFEST, RunningService, running_service, up_command

CHUNKS = 6


def version(name: str, number: int) -> str:
    """A document of CHUNKS sections that all say which version they are of."""
    return "\n\n".join(
        f"# Part {part}\n\nCormorant {name} of version v{number} part p{part}." for part in range(CHUNKS)
    )


def test_after_kill_9_every_acknowledged_document_is_there_whole(tmp_path: Path) -> None:
    """Three times over: documents are added and replaced from two sides until the service is killed."""
    acknowledged: dict[str, int] = {}
    for round_ in range(3):
        attempted: dict[str, set[int]] = {}
        with running_service(tmp_path) as service:
            check_whole(service, acknowledged, attempted={})
            killer = threading.Timer(1.5 + 0.4 * round_, service.kill)
            killer.start()
            writers = [
                threading.Thread(target=write, args=(service.url, f"w{n}", round_, acknowledged, attempted))
                for n in range(2)
            ]
            for writer in writers:
                writer.start()
            for writer in writers:
                writer.join()
        with running_service(tmp_path) as service:
            check_whole(service, acknowledged, attempted)
            # What was under way may have landed without its acknowledgement; from here on it counts.
            acknowledged.update(versions(service))
    assert len(acknowledged) > 10


def write(
    url: str, writer: str, round_: int, acknowledged: dict[str, int], attempted: dict[str, set[int]]
) -> None:
    with httpx.Client(base_url=url, timeout=30) as client:
        for number in range(10_000):
            name = f"{writer}-{number % 12}"
            made = round_ * 10_000 + number
            attempted.setdefault(name, set()).add(made)
            try:
                reply = client.post(
                    "/ingest", json={"documents": [{"id": name, "text": version(name, made)}]}
                )
            except httpx.TransportError:
                return
            assert reply.json()["indexed"] == 1, reply.text
            acknowledged[name] = made


def check_whole(
    service: RunningService, acknowledged: dict[str, int], attempted: dict[str, set[int]]
) -> None:
    found = versions(service)
    for name, number in acknowledged.items():
        assert found[name] == number or found[name] in attempted.get(name, set()), name
        assert found[name] >= number, f"{name}: an acknowledged version was lost"
    with httpx.Client(base_url=service.url, timeout=30) as client:
        for name, number in found.items():
            body = {"query": "cormorant", "top_k": 100, "filters": {"document_id": name}}
            results = client.post("/search", json=body).json()["results"]
            assert len(results) == CHUNKS, f"{name}: {len(results)} of {CHUNKS} chunks"
            assert all(f"version v{number} " in result["text"] for result in results), name
        totals = {"documents": len(found), "chunks": CHUNKS * len(found)}
        metrics = client.get("/metrics").text
        for name, value in totals.items():
            assert f"ragfleet_{name} {value}.0" in metrics


def versions(service: RunningService) -> dict[str, int]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        ids = [
            document["id"]
            for document in client.get("/documents", params={"limit": 1000}).json()["documents"]
        ]
        found = {}
        for id_ in ids:
            text = client.get(f"/documents/{id_}").json()["text"]
            numbers = {int(word[1:]) for word in text.split() if word[0] == "v" and word[1:].isdigit()}
            assert len(numbers) == 1
            found[id_] = numbers.pop()
        return found


def end_of(command: list[str]) -> tuple[int, list[str]]:
    """Exit code and error lines of a command that must end by itself."""
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stderr.strip().splitlines()


def test_a_port_in_use_is_one_plain_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        code, lines = end_of([*up_command(tmp_path), "--port", str(port)])
    assert code == 2
    assert len(lines) == 1
    assert f"127.0.0.1:{port}: Address already in use; choose another with --host and --port" in lines[0]


def test_a_data_folder_in_use_is_one_plain_line(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        code, lines = end_of(up_command(tmp_path))
        assert (code, len(lines)) == (2, 1)
        assert f"is in use by process {service.process.pid}: stop that one" in lines[0]
        assert httpx.get(f"{service.url}/ready").status_code == 200


def test_a_wrong_manifest_names_the_line(tmp_path: Path) -> None:
    command = up_command(tmp_path)
    (tmp_path / "pipeline.yaml").write_text(
        MANIFEST.replace("{type: Extractive}", "{type: Extractive, noAnswr: x}")
    )
    code, lines = end_of(command)
    assert code == 2
    assert len(lines) == 1
    assert "pipeline.yaml:6: spec.generation.noAnswr: unknown field; did you mean noAnswer?" in lines[0]


def test_sigterm_ends_it_in_order(tmp_path: Path) -> None:
    with running_service(tmp_path) as service:
        httpx.post(f"{service.url}/ingest", json={"documents": [{"id": "a", "text": "A grebe."}]}, timeout=60)
        service.process.terminate()
        assert service.process.wait(30) == 0
    assert "Traceback" not in service.log.read_text()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 MiB."""
    if os.geteuid() != 0:
        if os.environ.get("CI"):
            pytest.fail("needs root to mount a small file system")
        pytest.skip("needs root to mount a small file system")
    mount = tmp_path / "small"
    mount.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512m", "tmpfs", str(mount)], check=True)
    try:
        yield mount
    finally:
        subprocess.run(["umount", str(mount)], check=True)


def test_a_full_disk_refuses_writes_and_loses_nothing(small_disk: Path) -> None:
    filler = small_disk / "filler"
    with running_service(small_disk) as service, httpx.Client(base_url=service.url, timeout=60) as client:
        first = client.post("/ingest", json={"documents": [{"id": "a", "text": "A shearwater at sea."}]})
        assert first.json()["indexed"] == 1, first.text
        free = os.statvfs(small_disk)
        filler.write_bytes(b"x" * max(0, free.f_bavail * free.f_frsize - 100 * 2**20))
        body = {"documents": [{"id": f"big-{n}", "text": f"A shearwater {n}. " * 5000} for n in range(20)]}
        refused = client.post("/ingest", json=body)
        assert refused.status_code == 507, refused.text
        problem = refused.json()
        assert problem["title"] == "There is no room left"
        assert problem["failed"] > 0
        assert len(problem["documents"]) == 20
        assert client.get("/health").json()["status"] == "degraded"
        landed = {d["id"] for d in problem["documents"] if d["status"] == "indexed"}
        filler.unlink()
        results = client.post(
            "/search", json={"query": "shearwater", "top_k": 100, "group_by_document": True}
        )
        assert {result["document_id"] for result in results.json()["results"]} == {"a", *landed}
        again = client.post("/ingest", json={"documents": [{"id": "b", "text": "Another shearwater."}]})
        assert again.json()["indexed"] == 1, again.text
    with running_service(small_disk) as service:
        reply = httpx.post(f"{service.url}/search", json={"query": "shearwater", "top_k": 100}).json()
        assert {"a", "b"} <= {result["document_id"] for result in reply["results"]}
