"""What the operator tells Prometheus."""

from __future__ import annotations

from ragfleet_operator.kinds import DEPLOYMENT, PIPELINE
from ragfleet_operator.metrics import Metrics, StateCollector
from ragfleet_operator.model import Key
from ragfleet_operator.sources import Source, WatchState


def test_passes_and_writes_are_counted() -> None:
    metrics = Metrics()
    metrics.finished(Key("a", "b"), 0.2, "success")
    metrics.finished(Key("a", "b"), 3.0, "error")
    metrics.waited(0.1)
    metrics.wrote("apply", DEPLOYMENT)
    text = metrics.text().decode()
    assert 'ragfleet_operator_reconcile_duration_seconds_count{result="success"} 1.0' in text
    assert 'ragfleet_operator_reconcile_duration_seconds_sum{result="error"} 3.0' in text
    assert 'ragfleet_operator_writes_total{kind="Deployment",result="success",verb="apply"} 1.0' in text
    assert "ragfleet_operator_queue_wait_seconds_count 1.0" in text
    assert "process_resident_memory_bytes" in text


def test_states_are_read_when_they_are_asked_for() -> None:
    metrics = Metrics()
    conditions = {"conditions": [{"type": "Ready", "status": "True"}]}
    pipelines = {Key("a", "b"): {"status": conditions}, Key("a", "new"): {}}
    metrics.registry.register(
        StateCollector(
            [WatchState(Source(PIPELINE, "a"), 60)],
            depth=lambda: 7,
            lag=lambda: 0.5,
            pipelines=pipelines.items,
            leading=lambda: True,
            tasks=lambda: 9,
        )
    )
    text = metrics.text().decode()
    assert 'ragfleet_pipeline_condition{name="b",namespace="a",status="True",type="Ready"} 1.0' in text
    assert "ragfleet_operator_queue_depth 7.0" in text
    assert "ragfleet_operator_leading 1.0" in text
    assert "ragfleet_operator_tasks 9.0" in text
    assert 'ragfleet_operator_watch_synced{kind="RAGPipeline",namespace="a",selector=""} 0.0' in text
    assert "ragfleet_operator_build_info{version=" in text
    pipelines.clear()
    assert "ragfleet_pipeline_condition{" not in metrics.text().decode()


def test_two_registries_dont_meet() -> None:
    first, second = Metrics(), Metrics()
    first.wrote("apply", DEPLOYMENT)
    assert "Deployment" not in second.text().decode()
