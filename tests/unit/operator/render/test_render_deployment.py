from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

from ragfleet_operator import names
from ragfleet_operator.kinds import CONFIG_MAP, DEPLOYMENT
from ragfleet_operator.model import Settings
from ragfleet_operator.render import query_fingerprint_of, render
from ragfleet_operator.render import rendered as rendered_revision
from support.rendering import EVERY_KIND, SETTINGS, canaries, make_pipeline, one, rendered
from support.sections import EMBEDDINGS, QDRANT


def spec(changes: dict[str, Any] | None = None, settings: Settings = SETTINGS) -> dict[str, Any]:
    found: dict[str, Any] = one(rendered(changes, settings=settings), DEPLOYMENT)["spec"]
    return found


def pod(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    found: dict[str, Any] = spec(changes)["template"]["spec"]
    return found


def container(changes: dict[str, Any] | None = None) -> dict[str, Any]:
    (found,) = pod(changes)["containers"]
    return dict(found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [({}, 1), ({"replicas": 0}, 0), ({"vectorStore": QDRANT, "replicas": 3}, 3)],
)
def test_there_are_as_many_pods_as_the_pipeline_says(changes: dict[str, Any], expected: int) -> None:
    assert spec(changes)["replicas"] == expected


def test_a_pod_that_serves_stays_until_a_new_one_is_ready() -> None:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}}
    assert spec({"vectorStore": QDRANT})["strategy"] == strategy


def test_the_embedded_engine_never_has_two_pods() -> None:
    assert spec()["strategy"] == {"type": "Recreate"}


def test_the_selector_is_the_same_for_every_spec_and_the_pods_have_it() -> None:
    for changes in ({}, {"vectorStore": QDRANT, "runtime.labels": {"team": "docs"}}):
        found = spec(changes)
        assert found["selector"] == {"matchLabels": names.selector("handbook")}
        assert names.selector("handbook").items() <= found["template"]["metadata"]["labels"].items()


def test_labels_and_annotations_of_the_pipeline_are_the_pods_too() -> None:
    changes = {"runtime": {"labels": {"team": "docs"}, "annotations": {"example.com/note": "kept"}}}
    metadata = spec(changes)["template"]["metadata"]
    revision = metadata["labels"].pop(names.REVISION_LABEL)
    assert len(revision) == 10
    assert metadata["labels"] == {"team": "docs", **names.labels("handbook")}
    assert metadata["annotations"]["example.com/note"] == "kept"


def test_pods_say_what_their_vectors_depend_on() -> None:
    changes = {"embedding": EMBEDDINGS["FastEmbed"]}
    annotations = spec(changes)["template"]["metadata"]["annotations"]
    expected = query_fingerprint_of(make_pipeline(changes), SETTINGS)
    assert annotations[names.FINGERPRINT_ANNOTATION] == expected
    assert query_fingerprint_of(make_pipeline(), SETTINGS) != expected


@pytest.mark.parametrize(("deadline", "seconds"), [(60, 75), (3600, 3615)])
def test_a_pod_has_time_to_answer_what_it_has_taken(deadline: int, seconds: int) -> None:
    found = pod({"requests.deadlineSeconds": deadline})
    (runtime,) = found["containers"]
    assert runtime["lifecycle"] == {"preStop": {"sleep": {"seconds": 5}}}
    assert found["terminationGracePeriodSeconds"] == seconds


def test_the_service_is_started_on_what_is_mounted() -> None:
    found = container()
    command = (
        "ragfleet serve --config /etc/ragfleet/config.json --secrets-dir /etc/ragfleet/secrets "
        "--data /var/lib/ragfleet --host 0.0.0.0 --port 8080 --admin-port 8081"
    )
    assert [*found["command"], *found["args"]] == shlex.split(command)
    paths = {mount["mountPath"] for mount in found["volumeMounts"]}
    assert {"/etc/ragfleet/config.json", "/var/lib/ragfleet", "/tmp"} <= paths
    assert [(port["name"], port["containerPort"]) for port in found["ports"]] == [
        ("http", 8080),
        ("admin", 8081),
    ]


@pytest.mark.parametrize(("changes", "seconds"), [({}, 600), ({"upgrade.deadlineSeconds": 30}, 30)])
def test_a_rollout_is_late_when_the_pipeline_says_so(changes: dict[str, Any], seconds: int) -> None:
    assert spec(changes)["progressDeadlineSeconds"] == seconds
    assert spec(changes)["template"] == spec()["template"]


def test_pods_are_of_the_revision_that_is_given_and_not_of_the_specification() -> None:
    older = rendered_revision(make_pipeline({"retrieval.topK": 3}), SETTINGS, "registry.example/old:1", 1, 4)
    children = render(make_pipeline(), SETTINGS, EVERY_KIND, new_secret=canaries(), revision=older)
    template = one(children, DEPLOYMENT)["spec"]["template"]
    assert template["spec"] == older.template["spec"]
    assert template["metadata"]["labels"][names.REVISION_LABEL] == older.id
    assert one(children, CONFIG_MAP)["data"] == {"config.json": older.config}
    assert json.loads(older.config)["retrieval"]["topK"] == 3


def test_pods_say_of_which_secrets_they_are_and_the_deployment_when_they_were_rolled_for_them() -> None:
    children = render(
        make_pipeline(),
        SETTINGS,
        EVERY_KIND,
        new_secret=canaries(),
        secrets_digest="cafe",
        rotated_at="2025-01-31T12:00:00Z",
    )
    found = one(children, DEPLOYMENT)
    assert found["metadata"]["annotations"] == {names.ROTATED_ANNOTATION: "2025-01-31T12:00:00Z"}
    assert found["spec"]["template"]["metadata"]["annotations"][names.SECRETS_ANNOTATION] == "cafe"
    plain = one(rendered(), DEPLOYMENT)
    assert "annotations" not in plain["metadata"]
    assert names.SECRETS_ANNOTATION not in plain["spec"]["template"]["metadata"]["annotations"]
    label = plain["spec"]["template"]["metadata"]["labels"][names.REVISION_LABEL]
    assert found["spec"]["template"]["metadata"]["labels"][names.REVISION_LABEL] == label


def test_the_image_is_the_operators_unless_the_pipeline_names_one() -> None:
    assert (container()["image"], container()["imagePullPolicy"]) == (SETTINGS.image, "IfNotPresent")
    own = container({"runtime": {"image": "registry.example/own:2", "imagePullPolicy": "Always"}})
    assert (own["image"], own["imagePullPolicy"]) == ("registry.example/own:2", "Always")


def test_probes_ask_the_loop_whether_it_lives_and_the_service_whether_it_is_ready() -> None:
    found = container()
    paths = {
        name: found[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert paths == {"startupProbe": "/ready", "livenessProbe": "/live", "readinessProbe": "/ready"}
    startup = found["startupProbe"]
    assert startup["periodSeconds"] * startup["failureThreshold"] == spec()["progressDeadlineSeconds"] == 600


def test_pods_run_where_and_as_the_pipeline_says() -> None:
    runtime = {
        "imagePullSecrets": [{"name": "registry"}],
        "nodeSelector": {"pool": "cpu"},
        "tolerations": [
            {"operator": "Exists", "effect": "NoExecute", "key": "a", "tolerationSeconds": 0},
            {"key": "b", "value": ""},
        ],
        "priorityClassName": "serving",
    }
    found = pod({"runtime": runtime})
    assert found["imagePullSecrets"] == runtime["imagePullSecrets"]
    assert found["nodeSelector"] == runtime["nodeSelector"]
    assert found["tolerations"] == [
        {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 0},
        {"key": "b"},
    ]
    assert found["priorityClassName"] == "serving"


def test_replicas_are_spread_over_zones_and_nodes_revision_by_revision() -> None:
    constraints = pod({"vectorStore": QDRANT})["topologySpreadConstraints"]
    assert [one["topologyKey"] for one in constraints] == [
        "topology.kubernetes.io/zone",
        "kubernetes.io/hostname",
    ]
    for constraint in constraints:
        assert constraint["whenUnsatisfiable"] == "ScheduleAnyway"
        assert constraint["matchLabelKeys"] == ["pod-template-hash"]
    assert "topologySpreadConstraints" not in pod()
