"""What is watched, and with which selectors."""

from __future__ import annotations

from ragfleet_operator.kinds import CHILDREN, CONFIG_MAP, DEPLOYMENT, PIPELINE, SECRET
from ragfleet_operator.settings import Timing, kopf_settings
from ragfleet_operator.sources import Phase, Source, WatchState, all_sources, unsettled


def test_the_whole_cluster_is_one_watch_for_each_kind_and_two_where_references_are_watched_too() -> None:
    sources = all_sources(())
    assert sources[0] == Source(PIPELINE, None)
    assert len(sources) == 1 + len(CHILDREN) + 2
    assert all(source.namespace is None for source in sources)
    assert {source.kind for source in sources if source.selector == "ragfleet.dev/watch=true"} == {
        SECRET,
        CONFIG_MAP,
    }
    assert [source.kind for source in sources if not source.selector] == [PIPELINE]


def test_namespaces_are_watched_one_by_one_and_once() -> None:
    sources = all_sources(("a", "b", "a"))
    assert len(sources) == 2 * len(all_sources(()))
    assert len(set(map(str, sources))) == len(sources)


def test_paths_are_those_of_the_api() -> None:
    assert Source(SECRET, None).path == "/api/v1/secrets"
    assert Source(DEPLOYMENT, "a").path == "/apis/apps/v1/namespaces/a/deployments"


def test_kopf_selects_on_the_server_and_writes_nothing() -> None:
    settings = kopf_settings(Source(DEPLOYMENT, None, "ragfleet.dev/pipeline"), Timing())
    assert list(settings.watching.label_selectors.values()) == ["ragfleet.dev/pipeline"]
    assert not settings.posting.enabled
    assert settings.peering.standalone
    assert settings.scanning.disabled
    assert settings.process.ultimate_exiting_timeout is None


def test_only_what_is_neither_listed_nor_refused_is_waited_for() -> None:
    states = [WatchState(source, 60) for source in all_sources(())]
    states[0].synced = True
    states[1].enter(Phase.FORBIDDEN)
    states[2].enter(Phase.LOST)
    assert unsettled(states) == states[2:]
