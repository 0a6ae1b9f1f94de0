"""The cache knows which events tell something new, and what vanished."""

from __future__ import annotations

import json
from typing import Any

from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.trim import trimmed
from ragfleet_operator.engine.watched import Watched
from ragfleet_operator.kinds import CONTROLLER_REVISION, DEPLOYMENT, PIPELINE, SECRET, SERVICE
from ragfleet_operator.model import Key, Ref
from ragfleet_operator.names import PIPELINE_LABEL

KEY = Key("default", "handbook")
REF = Ref(SERVICE, "handbook")


def service(
    version: int = 5, uid: str = "u1", *, spec_of: int | None = None, **metadata: Any
) -> dict[str, Any]:
    """A Service whose spec is that of a version, its own by default."""
    labels = {PIPELINE_LABEL: "handbook"}
    place = {"name": "handbook", "namespace": "default", "labels": labels}
    spec = {"healthCheckNodePort": version if spec_of is None else spec_of}
    return {"metadata": {**place, "uid": uid, "resourceVersion": str(version), **metadata}, "spec": spec}


def test_an_event_gives_the_pipeline_to_look_at() -> None:
    cache = Cache()
    assert cache.see(SERVICE, "ADDED", service()) == KEY
    assert cache.children(KEY)[REF]["metadata"]["uid"] == "u1"
    assert cache.see(SERVICE, "DELETED", service(6)) == KEY
    assert cache.children(KEY) == {}
    assert len(cache) == 0


def test_a_child_whose_label_was_changed_is_still_that_of_its_owner() -> None:
    owner = {"apiVersion": "ragfleet.dev/v1alpha1", "kind": "RAGPipeline", "name": "handbook", "uid": "p1"}
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(5, ownerReferences=[owner]))
    changed = service(6, ownerReferences=[owner], labels={PIPELINE_LABEL: "other"})
    assert cache.see(SERVICE, "MODIFIED", changed) == KEY
    assert cache.children(KEY)[REF]["metadata"]["labels"] == {PIPELINE_LABEL: "other"}
    assert cache.children(Key("default", "other")) == {}


def test_the_echo_of_our_own_write_tells_nothing() -> None:
    cache = Cache()
    cache.expect(SERVICE, service(7))
    assert cache.see(SERVICE, "ADDED", service(7)) is None
    assert cache.see(SERVICE, "MODIFIED", service(6)) is None
    assert cache.children(KEY)[REF]["metadata"]["resourceVersion"] == "7"
    assert cache.see(SERVICE, "MODIFIED", service(8)) == KEY


def test_an_answer_that_comes_after_the_deletion_brings_nothing_back() -> None:
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(5))
    cache.see(SERVICE, "DELETED", service(8))
    cache.expect(SERVICE, service(5))
    cache.expect(SERVICE, service(8))
    assert len(cache) == 0
    cache.expect(SERVICE, service(9, uid="u2"))
    assert cache.children(KEY)[REF]["metadata"]["uid"] == "u2"


def test_of_deletions_the_latest_are_remembered() -> None:
    cache = Cache()
    for number in range(5000):
        cache.see(SERVICE, "DELETED", service(number + 1, name=f"s{number}"))
    assert len(cache._gone) == 4096


def test_an_answer_that_is_older_than_an_event_changes_nothing() -> None:
    cache = Cache()
    cache.see(SERVICE, "MODIFIED", service(10))
    cache.expect(SERVICE, service(9))
    assert cache.children(KEY)[REF]["metadata"]["resourceVersion"] == "10"


def test_versions_are_compared_as_numbers() -> None:
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(9))
    assert cache.see(SERVICE, "MODIFIED", service(10)) == KEY


def test_the_late_news_of_a_deletion_takes_nothing_from_the_successor() -> None:
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(5))
    cache.expect(SERVICE, service(9, uid="u2"))
    assert cache.see(SERVICE, "DELETED", service(8)) is None
    assert cache.children(KEY)[REF]["metadata"]["uid"] == "u2"


def test_a_list_gives_what_vanished_what_is_new_and_what_changed() -> None:
    cache = Cache()
    for name in ("gone", "same", "changed"):
        obj = service(5, name=name, labels={PIPELINE_LABEL: name})
        cache.see(SERVICE, "ADDED", obj)
    listed = [
        service(5, name="same", labels={PIPELINE_LABEL: "same"}),
        service(6, name="changed", labels={PIPELINE_LABEL: "changed"}),
        service(7, name="new", labels={PIPELINE_LABEL: "new"}),
    ]
    keys = cache.replace(SERVICE, "default", listed, "20")
    assert keys == {Key("default", name) for name in ("gone", "changed", "new")}
    assert cache.children(Key("default", "gone")) == {}


def test_a_list_of_one_namespace_or_kind_says_nothing_of_others() -> None:
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(namespace="other"))
    cache.see(DEPLOYMENT, "ADDED", service())
    assert cache.replace(SERVICE, "default", [], "20") == set()
    assert len(cache) == 2


def test_what_is_newer_than_a_list_stays() -> None:
    cache = Cache()
    cache.expect(SERVICE, service(30))
    assert cache.replace(SERVICE, None, [], "20") == set()
    assert REF in cache.children(KEY)


def test_a_label_that_moves_moves_the_child() -> None:
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(5))
    cache.see(SERVICE, "MODIFIED", service(6, labels={PIPELINE_LABEL: "other"}))
    assert cache.children(KEY) == {}
    assert REF in cache.children(Key("default", "other"))
    assert cache.see(SERVICE, "MODIFIED", service(7, labels={})) == Key("default", "other")
    assert len(cache) == 0


def test_a_pipeline_is_found_by_its_own_name() -> None:
    cache = Cache()
    obj = service(labels=None)
    assert cache.see(PIPELINE, None, obj) == KEY
    assert cache.pipelines() == [KEY]
    found = cache.pipeline(KEY)
    assert found is not None
    assert found["metadata"]["uid"] == "u1"
    assert cache.see(PIPELINE, "DELETED", service(6, labels=None)) == KEY
    assert cache.pipeline(KEY) is None


def test_a_revision_is_given_out_as_it_came_and_takes_little_room() -> None:
    cache = Cache()
    labels = {PIPELINE_LABEL: "handbook"}
    metadata = {
        "name": "handbook-0",
        "namespace": "default",
        "labels": labels,
        "uid": "u",
        "resourceVersion": "1",
    }
    data = {"config": "a word and another " * 1000}
    cache.see(CONTROLLER_REVISION, "ADDED", {"metadata": metadata, "revision": 1, "data": data})
    found = cache.children(KEY)[Ref(CONTROLLER_REVISION, "handbook-0")]
    assert (found["data"], found["revision"]) == (data, 1)
    kept = sum(len(entry.data) for entry in cache._objects.values())
    assert kept < len(data["config"]) / 10


def test_a_status_that_nobody_reads_tells_nothing_and_a_change_does() -> None:
    cache = Cache()
    cache.see(SERVICE, "ADDED", service(5))
    balanced = {**service(6, spec_of=5), "status": {"loadBalancer": {}}}
    assert cache.see(SERVICE, "MODIFIED", balanced) is None
    found = cache.children(KEY)[REF]
    assert found["metadata"]["resourceVersion"] == "6"
    assert "status" not in found
    assert cache.see(SERVICE, "MODIFIED", service(7)) == KEY
    assert cache.see(SERVICE, "MODIFIED", service(8, spec_of=7, annotations={"a": "b"})) == KEY
    assert cache.see(DEPLOYMENT, "ADDED", {**service(5), "status": {}}) == KEY
    assert cache.see(DEPLOYMENT, "MODIFIED", {**service(6, spec_of=5), "status": {"replicas": 1}}) == KEY


def test_no_value_of_a_secret_is_kept() -> None:
    secret = {**service(), "data": {"token": "Y2FuYXJ5"}, "stringData": {"x": "canary"}}
    annotations = {"kubectl.kubernetes.io/last-applied-configuration": "canary", "team": "a"}
    secret["metadata"] = {**secret["metadata"], "annotations": annotations}
    kept = trimmed(SECRET, secret)
    assert kept["data"] == {"token": ""}
    assert "canary" not in json.dumps(kept)
    assert "Y2FuYXJ5" not in json.dumps(kept)
    assert kept["metadata"]["annotations"] == {"team": "a"}


def test_of_managed_fields_only_who_holds_replicas_is_kept() -> None:
    managed = [
        {
            "manager": "ragfleet",
            "operation": "Apply",
            "fieldsV1": {"f:spec": {"f:replicas": {}, "f:template": {}}},
        },
        {"manager": "kubectl", "operation": "Update", "fieldsV1": {"f:metadata": {"f:labels": {}}}},
    ]
    obj = service(managedFields=managed)
    assert trimmed(DEPLOYMENT, obj)["metadata"]["managedFields"] == [
        {"manager": "ragfleet", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}
    ]
    assert "managedFields" not in trimmed(SERVICE, obj)["metadata"]


def test_a_watched_secret_gives_those_who_use_it() -> None:
    watched = Watched()
    ref = Ref(SECRET, "handbook")
    other = Key("default", "other")
    watched.use(KEY, [ref])
    watched.use(other, [ref])
    secret = {**service(), "data": {"token": "eA==", "empty": ""}}
    assert watched.see(SECRET, "ADDED", secret) == {KEY, other}
    assert watched.see(SECRET, "ADDED", secret) == set()
    assert watched.entries("default", ref) == frozenset({"token"})
    watched.use(other, [])
    assert watched.replace(SECRET, None, []) == {KEY}
    assert watched.entries("default", ref) is None
