"""Prometheus metrics, in a registry of their own: one for each running service."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Metrics:
    """The service's metrics. Times are in seconds."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.requests = Counter(
            "ragfleet_http_requests",
            "Requests answered.",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            "ragfleet_http_request_seconds",
            "Time from a request's head to the end of its response.",
            ("route",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.stage_seconds = Histogram(
            "ragfleet_stage_seconds",
            "Time of one stage of answering: rewrite, retrieve, generate.",
            ("stage",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.ingested = Counter(
            "ragfleet_ingested_documents", "Documents sent, by outcome.", ("status",), registry=self.registry
        )
        self.answers = Counter(
            "ragfleet_answers", "Questions answered, by outcome.", ("outcome",), registry=self.registry
        )
        self.first_token_seconds = Histogram(
            "ragfleet_first_token_seconds",
            "Time from asking a generator to the first piece of its answer.",
            ("generator",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self.provider_errors = Counter(
            "ragfleet_provider_errors",
            "Calls of a model's provider that failed, by what was wrong.",
            ("provider", "fault"),
            registry=self.registry,
        )
        self.tokens = Counter(
            "ragfleet_tokens",
            "Tokens that providers counted: prompt, completion.",
            ("generator", "kind"),
            registry=self.registry,
        )
        self.documents = Gauge("ragfleet_documents", "Documents kept.", registry=self.registry)
        self.chunks = Gauge("ragfleet_chunks", "Chunks indexed.", registry=self.registry)
        self.stale_documents = Gauge(
            "ragfleet_stale_documents", "Documents cut by earlier settings.", registry=self.registry
        )

    def set_counts(self, documents: float, chunks: float, stale: float) -> None:
        """What is kept; NaN where it isn't known."""
        self.documents.set(documents)
        self.chunks.set(chunks)
        self.stale_documents.set(stale)

    def exposition(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self.registry)
