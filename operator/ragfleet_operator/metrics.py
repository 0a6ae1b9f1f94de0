"""The operator's metrics, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Counter, Histogram, ProcessCollector, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Key, Object
from ragfleet_operator.sources import WatchState

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_PASS_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 15.0, 60.0)


class Metrics:
    """Counts what the queue and the client tell it; implements the engine's observers."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._durations = Histogram(
            "ragfleet_operator_reconcile_duration_seconds",
            "Duration of passes over a pipeline, by result.",
            ["result"],
            buckets=_PASS_BUCKETS,
            registry=self.registry,
        )
        self._waits = Histogram(
            "ragfleet_operator_queue_wait_seconds",
            "How long a pipeline was due before its pass began.",
            buckets=_PASS_BUCKETS,
            registry=self.registry,
        )
        self._writes = Counter(
            "ragfleet_operator_writes",
            "Writes to the API server, by verb, kind and result.",
            ["verb", "kind", "result"],
            registry=self.registry,
        )
        ProcessCollector(registry=self.registry)

    def waited(self, seconds: float) -> None:
        """See engine.queue.Observer."""
        self._waits.observe(seconds)

    def finished(self, key: Key, seconds: float, result: str) -> None:
        """See engine.queue.Observer."""
        self._durations.labels(result).observe(seconds)

    def wrote(self, verb: str, kind: Kind) -> None:
        """See engine.cluster.WriteObserver."""
        self._writes.labels(verb, kind.kind, "success").inc()

    def refused(self, verb: str, kind: Kind, reason: str) -> None:
        """See engine.cluster.WriteObserver."""
        self._writes.labels(verb, kind.kind, reason).inc()

    def text(self) -> bytes:
        """All metrics, as Prometheus reads them."""
        return generate_latest(self.registry)


class StateCollector(Collector):
    """What is read when metrics are asked for.

    depth: keys that are due. lag: the event loop's seconds. leading: whether this operator writes. tasks:
    those of the event loop.
    """

    def __init__(
        self,
        states: Sequence[WatchState],
        *,
        depth: Callable[[], int],
        lag: Callable[[], float],
        pipelines: Callable[[], Iterable[tuple[Key, Object]]],
        leading: Callable[[], bool],
        tasks: Callable[[], int],
    ) -> None:
        self._states = states
        self._depth = depth
        self._lag = lag
        self._pipelines = pipelines
        self._leading = leading
        self._tasks = tasks

    def collect(self) -> Iterator[Metric]:
        """Read it all."""
        info = GaugeMetricFamily("ragfleet_operator_build_info", "The program's version.", labels=["version"])
        info.add_metric([version("ragfleet")], 1)
        yield info
        leading = GaugeMetricFamily(
            "ragfleet_operator_leading", "1 for the operator that reconciles, 0 for one that stands by."
        )
        leading.add_metric([], float(self._leading()))
        yield leading
        depth = GaugeMetricFamily("ragfleet_operator_queue_depth", "Pipelines that are due and wait.")
        depth.add_metric([], self._depth())
        yield depth
        lag = GaugeMetricFamily(
            "ragfleet_operator_event_loop_lag_seconds", "The most of the last half minute."
        )
        lag.add_metric([], self._lag())
        yield lag
        tasks = GaugeMetricFamily(
            "ragfleet_operator_tasks", "Tasks of the event loop; more and more would be a leak."
        )
        tasks.add_metric([], self._tasks())
        yield tasks
        yield from self._of_watches()
        yield self._of_pipelines()

    def _of_watches(self) -> Iterator[Metric]:
        names = ["kind", "namespace", "selector"]
        ages = GaugeMetricFamily(
            "ragfleet_operator_watch_age_seconds", "Since a watch's last event or answer.", labels=names
        )
        synced = GaugeMetricFamily(
            "ragfleet_operator_watch_synced", "Whether all of a watch is in the cache.", labels=names
        )
        for state in self._states:
            labels = [state.source.kind.kind, state.source.namespace or "", state.source.selector]
            ages.add_metric(labels, state.age)
            synced.add_metric(labels, float(state.synced))
        yield ages
        yield synced

    def _of_pipelines(self) -> Metric:
        family = GaugeMetricFamily(
            "ragfleet_pipeline_condition",
            "1 for the status (True, False or Unknown) that a condition of a pipeline has.",
            labels=["namespace", "name", "type", "status"],
        )
        for key, pipeline in self._pipelines():
            for condition in (pipeline.get("status") or {}).get("conditions") or ():
                labels = [key.namespace, key.name, condition.get("type", ""), condition.get("status", "")]
                family.add_metric(labels, 1)
        return family
