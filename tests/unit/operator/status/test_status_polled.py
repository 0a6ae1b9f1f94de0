"""What the service tells of its store and index."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ragfleet_api.config.runtime import Owner
from ragfleet_operator.model import Report
from ragfleet_operator.status import assess
from ragfleet_runtime.errors import StartError
from ragfleet_runtime.index.claim import claim, other_settings
from support.configs import make_config
from support.observations import ANSWER, at, conditions, deployment, essence, pipeline, seen

REFUSED = "the collection c belongs to team-b/x of cluster k, not to team-a/y of cluster k: choose another"


def told(report: Report | None, status: Mapping[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return assess(pipeline(status=status), seen(deployment(), report=report, **fields), at(0))


@pytest.mark.parametrize(
    ("report", "store", "index"),
    [
        (None, "Unknown NotPolled", "Unknown NotPolled"),
        (Report(error="connection refused"), "Unknown NoAnswer", "Unknown NoAnswer"),
        (Report(error=""), "Unknown NoAnswer", "Unknown NoAnswer"),
        (Report(store_message="starting"), "Unknown NotReported", "Unknown NotReported"),
        (ANSWER, "True Reachable", "True Serving"),
        (Report(store_reachable=True, store_message=REFUSED), "True Reachable", "True Serving"),
        (
            Report(store_reachable=False, store_message="no answer within 3 s"),
            "False VectorStoreUnreachable",
            "Unknown VectorStoreUnreachable",
        ),
        (Report(store_message=REFUSED), "True Reachable", "False CollectionOwnedByAnother"),
        (
            Report(store_reachable=False, store_message=REFUSED),
            "True Reachable",
            "False CollectionOwnedByAnother",
        ),
    ],
)
def test_a_report_is_told(report: Report | None, store: str, index: str) -> None:
    status = told(report)
    assert (essence(status, "VectorStoreReachable"), essence(status, "IndexReady")) == (store, index)
    blocks = "False" in (store.split(maxsplit=1)[0], index.split(maxsplit=1)[0])
    assert (conditions(status)["Ready"]["status"] == "True") is not blocks


def test_a_held_change_is_told_whatever_the_service_says() -> None:
    for report in (None, ANSWER, Report(error="x"), Report(store_message=REFUSED)):
        status = told(report, held_fingerprint="0badcafe")
        assert essence(status, "IndexReady") == "False ReindexRequired"
        assert essence(status, "Stalled") == "True ReindexRequired"
        assert "change it back" in conditions(status)["Ready"]["message"]
    assert essence(told(None, status), "IndexReady") == "Unknown NotPolled"


@pytest.mark.parametrize(
    "report",
    [
        ANSWER,
        Report(error="timed out"),
        Report(store_reachable=False, store_message="refused"),
        Report(store_message=REFUSED),
    ],
)
def test_a_new_operator_changes_nothing_before_it_has_asked(report: Report) -> None:
    before = told(report)
    assert told(None, before) == before


def test_good_news_is_forgotten_when_nothing_serves_and_bad_news_stays() -> None:
    gone = seen(deployment(available=0))
    good = assess(pipeline(status=told(ANSWER)), gone, at(0))
    assert essence(good, "VectorStoreReachable") == essence(good, "IndexReady") == "Unknown NotPolled"
    bad = assess(pipeline(status=told(Report(store_message=REFUSED))), gone, at(0))
    assert essence(bad, "IndexReady") == "False CollectionOwnedByAnother"
    assert essence(bad, "Ready") == "False CollectionOwnedByAnother"


def test_what_was_told_of_an_earlier_generation_does_not_count() -> None:
    before = told(Report(store_reachable=False, store_message="refused"))
    after = assess(pipeline(generation=2, status=before), seen(deployment()), at(0))
    assert essence(after, "VectorStoreReachable") == "Unknown NotPolled"
    assert essence(after, "Ready") == "True Ready"


def test_the_last_counts_stay_while_there_is_no_answer() -> None:
    counts = told(ANSWER)["index"]
    for report in (None, Report(error="x"), Report(store_reachable=True, collection=ANSWER.collection)):
        assert told(report, {"index": counts})["index"] == counts


def test_the_counts_of_another_collection_do_not_stay() -> None:
    counts = told(ANSWER)["index"]
    report = Report(store_reachable=True, collection="another")
    assert told(report, {"index": counts})["index"] == {"collection": "another"}


class Notes:
    """What a collection keeps."""

    def __init__(self) -> None:
        self.kept: dict[str, str] = {}

    async def get_setting(self, name: str) -> str | None:
        return self.kept.get(name)

    async def put_settings(self, settings: Mapping[str, str]) -> None:
        self.kept.update(settings)


@pytest.mark.anyio
async def test_the_service_s_own_refusals_are_recognised() -> None:
    config = make_config(embedding={"type": "FastEmbed", "fastEmbed": {"model": "m"}})
    notes = Notes()
    await claim(notes, config, [1.0, 0.0])
    foreign = config.model_copy(update={"owner": Owner(cluster="k", namespace="team-b", name="x")})
    with pytest.raises(StartError) as owner:
        await claim(notes, foreign, [1.0, 0.0])
    with pytest.raises(StartError) as model:
        await claim(notes, config, [0.0, 1.0])
    with pytest.raises(StartError) as settings:
        await claim(notes, make_config(), None)
    for error, reason in (
        (owner.value, "CollectionOwnedByAnother"),
        (model.value, "FingerprintMismatch"),
        (settings.value, "FingerprintMismatch"),
        (other_settings(config, "c", None), "FingerprintMismatch"),
    ):
        status = told(Report(store_message=str(error)))
        assert essence(status, "IndexReady") == f"False {reason}"
        assert conditions(status)["IndexReady"]["message"] == str(error)
        assert essence(status, "Stalled") is not None
