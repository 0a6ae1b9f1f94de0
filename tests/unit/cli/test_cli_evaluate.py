from __future__ import annotations

import asyncio
import json
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_cli.evaluate import corpus
from ragfleet_cli.main import main
from ragfleet_runtime.errors import StartError
from support.fake_service import FakeService, Reply, asgi, problem
from support.rule_cases import MINIMAL

Captured = pytest.CaptureFixture[str]
Opened = list[tuple[Any, Path, Any]]

# For "fox" the service's order is d1, d2, d3; for "owl" it is d4 alone.
TEXTS = {"d1": "fox fox fox", "d2": "fox fox", "d3": "fox", "d4": "owl", "odd/é #1": "hen"}
JUDGED = "q1\td2\t1\nq1\td3\t2\nq2\td4\t1\nq3\td1\t0\n"


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    (folder / "qrels").mkdir(parents=True)
    lines = [json.dumps({"_id": id_, "text": text, "title": ""}) for id_, text in TEXTS.items()]
    (folder / "corpus.jsonl").write_text("\n".join(lines))
    queries = {"q1": "fox", "q2": "owl", "q3": "hen"}
    (folder / "queries.jsonl").write_text(
        "\n".join(json.dumps({"_id": id_, "text": text}) for id_, text in queries.items())
    )
    (folder / "qrels" / "test.tsv").write_text(f"query-id\tcorpus-id\tscore\n{JUDGED}")
    return folder


def evaluate_json(capsys: Captured, *arguments: str | Path) -> dict[str, Any]:
    assert main(["evaluate", "--json", *map(str, arguments)]) == 0
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    return result


def test_over_http(dataset: Path, url: str, service: FakeService, capsys: Captured) -> None:
    service.unsettled = 2
    result = evaluate_json(capsys, "--dataset", dataset, "--url", url)
    # q1: relevant at ranks 2 and 3 of two relevant; q2: at rank 1.
    ndcg = (0.63093 + 0.5) / 1.63093
    assert result["ndcg@10"] == pytest.approx((ndcg + 1) / 2, abs=1e-4)
    assert result["recall@100"] == 1.0
    assert result["mrr@10"] == pytest.approx((1 / 2 + 1) / 2)
    assert result["intervals"].keys() == {"ndcg@10", "recall@100", "mrr@10"}
    assert result["intervals"]["recall@100"] == [1.0, 1.0]
    assert (result["queries"], result["queries_left_out"], result["documents"]) == (2, 1, 5)
    assert (result["mode"], result["graded"], result["documents_failed"]) == ("sparse", False, 0)
    assert result["seconds"] >= result["search_seconds"]
    searches = [body for _, path, body in service.requests if path == "/search"]
    assert sorted(body["query"] for body in searches) == ["fox", "owl"]
    assert all(body["group_by_document"] is True and body["top_k"] == 100 for body in searches)
    assert service.count("GET /health") == 3
    assert service.documents == {}


def test_the_table(dataset: Path, url: str, capsys: Captured) -> None:
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    out = capsys.readouterr().out
    assert "ndcg@10" in out
    assert "0.7500 │ 0.5000 to 1.0000" in out
    assert "2 questions (1 without a relevant document left out), 5 documents, sparse, " in out


def test_graded_and_top_k(dataset: Path, url: str, service: FakeService, capsys: Captured) -> None:
    result = evaluate_json(capsys, "--dataset", dataset, "--url", url, "--graded", "--top-k", "2")
    ndcg = 0.63093 / (2 + 0.63093)
    assert result["ndcg@10"] == pytest.approx((ndcg + 1) / 2, abs=1e-4)
    assert result["recall@100"] == pytest.approx((1 / 2 + 1) / 2)
    assert result["graded"] is True


def test_documents_that_were_there_stay_as_they_were(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    before = {"d1": "an own text", "mine": "fox", "zebra": "z"}
    service.documents = dict(before)
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    assert service.documents == before
    assert capsys.readouterr().err.splitlines() == [
        "ragfleet: 1 of 5 documents were there before, and are taken as they are",
        "ragfleet: 2 other documents of the service compete with the corpus for places",
    ]


def test_a_document_that_appeared_meanwhile_is_not_deleted(
    dataset: Path, url: str, service: FakeService
) -> None:
    """The listing shows nothing, and then d1 turns out to be there already."""
    service.documents = {"d1": TEXTS["d1"]}
    service.broken["GET /documents"] = [Reply(200, {"documents": [], "next_cursor": None})]
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    assert service.documents == {"d1": TEXTS["d1"]}


def test_what_landed_before_its_batch_failed_is_deleted(
    dataset: Path, url: str, service: FakeService
) -> None:
    service.lands_before_failing = 1
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    assert service.documents == {}


def test_keep_leaves_the_documents(dataset: Path, url: str, service: FakeService) -> None:
    assert main(["evaluate", "--dataset", str(dataset), "--url", url, "--keep"]) == 0
    assert service.documents == TEXTS


def test_documents_that_fail_are_counted_and_told(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    service.refused = "owl"
    assert main(["evaluate", "--dataset", str(dataset), "--url", url, "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["documents_failed"] == 1
    assert json.loads(out)["recall@100"] == 0.5
    assert "1 of 5 documents could not be ingested and won't be found; 'd4': a document is not valid" in err
    assert service.documents == {}


def test_no_document_at_all_is_an_error(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    service.refused = ""
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 2
    assert "ragfleet: no document of the corpus could be ingested; " in capsys.readouterr().err


def test_a_refused_question_is_named_and_what_was_added_goes(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    service.broken["POST /search"] = [problem(422, "too long")] * 2
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 2
    err = capsys.readouterr().err
    assert re.match(r"ragfleet: question '(q1' \(fox|q2' \(owl)\): the service answered 422: too long", err)
    assert service.documents == {}


def test_a_broken_collection_is_refused_before_anything_is_sent(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    (dataset / "queries.jsonl").write_text("nope")
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 2
    assert f"ragfleet: {dataset}/queries.jsonl:1: not JSON" in capsys.readouterr().err
    assert service.requests == []


def test_without_the_extra_it_says_what_to_install(
    dataset: Path, url: str, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "ir_measures", None)
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 2
    message = "evaluate needs ir-measures: pip install 'ragfleet[evaluate]'"
    assert capsys.readouterr().err == f"ragfleet: {message}\n"


def test_batches_are_bounded(
    dataset: Path, url: str, service: FakeService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "BATCH_DOCUMENTS", 2)
    monkeypatch.setattr(corpus, "BATCH_CHARACTERS", 12)
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    sent = [[d["id"] for d in body["documents"]] for _, path, body in service.requests if path == "/ingest"]
    assert sent == [["d1"], ["d2", "d3"], ["d4", "odd/é #1"]]


def test_an_index_that_never_settles_is_told(
    dataset: Path, url: str, service: FakeService, capsys: Captured, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "SETTLE_SECONDS", -1.0)
    service.unsettled = 1000
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    assert "still putting its index in order" in capsys.readouterr().err


def test_ctrl_c_takes_away_what_was_added_once_it_has_landed(
    dataset: Path, url: str, service: FakeService
) -> None:
    service.gate = threading.Event()
    command = [sys.executable, "-m", "ragfleet_cli", "evaluate", "--dataset", str(dataset), "--url", url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        end = time.monotonic() + 20
        while service.busy == 0:
            assert time.monotonic() < end
            time.sleep(0.005)
        process.send_signal(signal.SIGINT)
        time.sleep(0.1)
        service.gate.set()
        out, _ = process.communicate(timeout=20)
    assert process.returncode == 130
    assert out == ""
    assert service.count("POST /search") == 0
    assert sum(method == "DELETE" for method, _, _ in service.requests) == len(TEXTS)
    assert service.documents == {}


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, service: FakeService) -> Opened:
    """How the service in this process was opened; the stand-in takes its place."""
    calls: Opened = []

    @asynccontextmanager
    async def open_runtime(config: Any, folder: Path, secrets: Any) -> AsyncIterator[SimpleNamespace]:
        calls.append((config, folder, secrets))
        if folder.name == "refused":
            raise StartError("the data folder is in use")
        marker = folder / "data"
        await asyncio.to_thread(marker.touch)
        yield SimpleNamespace(app=asgi(service))

    module = ModuleType("ragfleet_runtime.compose")
    module.__dict__["open_runtime"] = open_runtime
    monkeypatch.setitem(sys.modules, "ragfleet_runtime.compose", module)
    monkeypatch.setattr("ragfleet_runtime.observe.logs.configure_logs", lambda *_, **__: None)
    return calls


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    path = tmp_path / "pipeline.yaml"
    path.write_text(json.dumps(MINIMAL))
    return path


def test_in_process(dataset: Path, manifest: Path, opened: Opened, capsys: Captured) -> None:
    setting = "chunking.maxTokens=128"
    result = evaluate_json(capsys, "--dataset", dataset, "-f", manifest, "--set", setting)
    assert result["mrr@10"] == 0.75
    ((config, folder, _),) = opened
    assert config.chunking.max_tokens == 128
    assert not folder.exists()


def test_in_process_with_a_folder_to_keep(
    dataset: Path, manifest: Path, opened: Opened, service: FakeService, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    arguments = ["--dataset", str(dataset), "-f", str(manifest), "--data", str(kept)]
    assert main(["evaluate", *arguments]) == 0
    assert [folder for _, folder, _ in opened] == [kept]
    assert (kept / "data").exists()
    assert service.documents == TEXTS


def test_a_service_that_cannot_start_in_process(
    dataset: Path, manifest: Path, opened: Opened, capsys: Captured, tmp_path: Path
) -> None:
    arguments = ["--dataset", str(dataset), "-f", str(manifest), "--data", str(tmp_path / "refused")]
    assert main(["evaluate", *arguments]) == 2
    assert capsys.readouterr().err == "ragfleet: the data folder is in use\n"


def test_in_process_the_service_reads_secrets_and_wants_no_key(
    dataset: Path, tmp_path: Path, opened: Opened, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", "from the variable")
    manifest = tmp_path / "keyed.yaml"
    manifest.write_text(
        json.dumps(
            {
                **MINIMAL,
                "spec": {
                    "vectorStore": {"type": "Embedded"},
                    "generation": {
                        "type": "OpenAI",
                        "openAI": {"model": "m", "apiKeySecretRef": {"name": "llm", "key": "token"}},
                    },
                    "auth": {"apiKeys": {"secretRef": {"name": "not-given"}}},
                },
            }
        )
    )
    arguments = ["evaluate", "--dataset", str(dataset), "-f", str(manifest)]
    assert main(arguments) == 2
    assert opened == []
    assert main([*arguments, "--secret", "llm.token=env:MODEL_KEY"]) == 0
    ((config, _, secrets),) = opened
    assert config.auth.required is False
    assert secrets.read(SecretKeyRef(name="llm", key="token")) == "from the variable"


def test_the_mode_goes_with_every_search(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    evaluate_json(capsys, "--dataset", dataset, "--url", url, "--mode", "hybrid")
    searches = [body for _, path, body in service.requests if path == "/search"]
    assert {body["mode"] for body in searches} == {"hybrid"}
    evaluate_json(capsys, "--dataset", dataset, "--url", url)
    assert "mode" not in service.requests[-1 - len(TEXTS)][2]


def test_searches_that_were_degraded_are_told(
    dataset: Path, url: str, service: FakeService, capsys: Captured
) -> None:
    reply = {"results": [], "mode": "sparse", "took_ms": 1.0, "degraded": ["the model doesn't answer"]}
    service.broken["POST /search"] = [Reply(200, reply)]
    assert main(["evaluate", "--dataset", str(dataset), "--url", url]) == 0
    expected = "ragfleet: degraded, for 1 of 2 questions: the model doesn't answer"
    assert capsys.readouterr().err.splitlines() == [expected]
