"""VectorStoreReachable and IndexReady: what the service tells on its admin port."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ragfleet_operator.model import Observation, Pipeline, Report
from ragfleet_operator.status import reasons as r
from ragfleet_operator.status.conditions import (
    ALLOWED,
    INDEX_READY,
    VECTOR_STORE_REACHABLE,
    Verdict,
    conditions_of,
    reason_of,
)
from ragfleet_operator.status.reasons import Reason
from ragfleet_operator.status.workload import Workload

# How the service says that a collection isn't for it; a test holds these to the service's own messages.
_REFUSALS: Final[Mapping[str, Reason]] = {
    " belongs to ": r.COLLECTION_OWNED_BY_ANOTHER,
    "whose index was built with": r.FINGERPRINT_MISMATCH,
    "isn't the one that the collection": r.FINGERPRINT_MISMATCH,
}
_TYPES: Final = (VECTOR_STORE_REACHABLE, INDEX_READY)
_HELD: Final = (
    "the change can't be applied to the present index, whose vectors it doesn't fit (spec.embedding or "
    "spec.retrieval.bm25): change it back, or create a pipeline with another name and ingest again; the "
    "version before keeps serving"
)


def polled(pipeline: Pipeline, seen: Observation, workload: Workload | None) -> tuple[Verdict, Verdict]:
    """VectorStoreReachable and IndexReady. What wasn't asked since the operator started stays as it was."""
    if seen.report is None:
        serves = workload is not None and workload.available > 0
        store, index = (_as_before(pipeline, type_, serves=serves) for type_ in _TYPES)
    else:
        store, index = _by_report(seen.report)
    if seen.held_fingerprint is not None:
        index = Verdict(INDEX_READY, "False", r.REINDEX_REQUIRED, _HELD)
    return store, index


def index_counts(pipeline: Pipeline, seen: Observation) -> dict[str, Any] | None:
    """What the index holds, as the service last told; None where it never did."""
    report, known = seen.report, pipeline.status.get("index")
    if report is None or report.error is not None or not report.collection:
        return None if known is None else dict(known)
    counts = {
        "documents": report.documents,
        "chunks": report.chunks,
        "staleDocuments": report.stale_documents,
    }
    is_counted = any(count is not None for count in counts.values())
    if not is_counted and known and known.get("collection") == report.collection:
        return dict(known)
    return {
        "collection": report.collection,
        **{name: count for name, count in counts.items() if count is not None},
    }


def _by_report(report: Report) -> tuple[Verdict, Verdict]:
    if report.error is not None:
        return _both(r.NO_ANSWER, f"the service's admin port gave no answer: {report.error or 'no reason'}")
    told = report.store_message or "no reason given"
    refusal = next((reason for words, reason in _REFUSALS.items() if words in told), None)
    if refusal is not None and report.store_reachable is not True:
        # To refuse it, the service must have read whose it is.
        return _reachable(), Verdict(INDEX_READY, "False", refusal, told)
    if report.store_reachable is None:
        return _both(r.NOT_REPORTED, f"the service doesn't know yet: {told}")
    if not report.store_reachable:
        return (
            Verdict(
                VECTOR_STORE_REACHABLE,
                "False",
                r.VECTOR_STORE_UNREACHABLE,
                f"the service can't use its vector store: {told}",
            ),
            Verdict(INDEX_READY, "Unknown", r.VECTOR_STORE_UNREACHABLE, "the vector store isn't reachable"),
        )
    return _reachable(), Verdict(INDEX_READY, "True", r.SERVING, "the index answers")


def _reachable() -> Verdict:
    return Verdict(VECTOR_STORE_REACHABLE, "True", r.REACHABLE, "the vector store answers the service")


def _both(reason: Reason, message: str) -> tuple[Verdict, Verdict]:
    return (
        Verdict(VECTOR_STORE_REACHABLE, "Unknown", reason, message),
        Verdict(INDEX_READY, "Unknown", reason, message),
    )


def _as_before(pipeline: Pipeline, type_: str, *, serves: bool) -> Verdict:
    """As the stored status has it, of the same generation: a new operator changes nothing by starting.

    serves: whether a replica does; where none does, good news is old news.
    """
    before = conditions_of(pipeline.status).get(type_, {})
    reason = reason_of(before.get("reason"))
    for status, allowed in ALLOWED[type_].items():
        is_same = before.get("status") == status and before.get("observedGeneration") == pipeline.generation
        is_news = serves or status != "True"
        if is_same and is_news and reason in allowed and reason is not r.REINDEX_REQUIRED:
            return Verdict(type_, status, reason, before.get("message", ""))
    return Verdict(type_, "Unknown", r.NOT_POLLED, "the service hasn't been asked yet")
