"""What holds of the children of any pipeline."""

from __future__ import annotations

import json
import re
from typing import Any

from hypothesis import HealthCheck, given, settings

from ragfleet_operator import names
from ragfleet_operator.kinds import CHILDREN, CONTROLLER_REVISION, DEPLOYMENT, PVC, SECRET
from ragfleet_operator.model import Child, Pipeline, Way
from support.drawn_specs import drawn_specs
from support.rendering import CANARY, UID, children_of, one, pipeline_of, walk
from support.sections import Json

LONGEST = "p" * 52
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?")
# Where nothing stands for all.
_EMPTY_IS_ALL = (
    "from.namespaceSelector",
    "from.podSelector",
    "to.peer",
    "to.namespaceSelector",
    "to.podSelector",
)

any_spec = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def pipelines(spec: Json) -> Pipeline:
    return pipeline_of(spec, name=LONGEST, namespace="n" * 63)


def pod_of(children: tuple[Child, ...]) -> Json:
    found: Json = one(children, DEPLOYMENT)["spec"]["template"]["spec"]
    return found


@any_spec
@given(drawn_specs())
def test_equal_pipelines_give_equal_children(spec: Json) -> None:
    def text_of(given_: Json) -> str:
        manifests = [child.manifest for child in children_of(pipelines(given_))]
        return json.dumps(manifests, sort_keys=True)

    assert text_of(reversed_keys(spec)) == text_of(spec)


def reversed_keys(value: Any) -> Any:
    """The same with the fields in another order."""
    if isinstance(value, list):
        return [reversed_keys(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {key: reversed_keys(value[key]) for key in reversed(value)}


@any_spec
@given(drawn_specs())
def test_names_and_labels_are_what_kubernetes_takes(spec: Json) -> None:
    children = children_of(pipelines(spec))
    places = [child.ref for child in children]
    assert len(set(places)) == len(places)
    for child in children:
        assert len(child.name) <= 253
        assert _SUBDOMAIN.fullmatch(child.name)
        labels = child.manifest["metadata"]["labels"]
        assert names.labels(LONGEST).items() <= labels.items()
        assert all(len(value) <= 63 and _LABEL_VALUE.fullmatch(value) for value in labels.values())
    pod = pod_of(children)
    for volume in pod["volumes"]:
        assert len(volume["name"]) <= 63
        assert _LABEL.fullmatch(volume["name"])
    paths = [mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]]
    assert len(set(paths)) == len(paths)
    variables = [variable["name"] for variable in pod["containers"][0]["env"]]
    assert len(set(variables)) == len(variables)


@any_spec
@given(drawn_specs())
def test_nothing_is_written_that_the_api_server_would_not_store(spec: Json) -> None:
    for child in children_of(pipelines(spec)):
        for path, value in walk(dict(child.manifest)):
            assert value is not None, path
            # What a ControllerRevision holds is stored as it is, and never compared.
            is_kept = path.startswith("data.")
            is_text_of_the_user = (
                is_kept or ".labels." in path or ".annotations." in path or ".matchLabels." in path
            )
            if value in ("", {}, []) and not is_text_of_the_user and not path.endswith(_EMPTY_IS_ALL):
                assert path.startswith("spec.template.spec.nodeSelector."), path


@any_spec
@given(drawn_specs())
def test_every_child_is_the_pipelines_own_but_a_claim_to_be_retained(spec: Json) -> None:
    pipeline = pipelines(spec)
    for child in children_of(pipeline):
        references = child.manifest["metadata"].get("ownerReferences", [])
        assert child.kind in CHILDREN
        assert child.manifest["metadata"]["namespace"] == pipeline.key.namespace
        if child.owned:
            (owner,) = references
            assert (owner["uid"], owner["controller"], owner["blockOwnerDeletion"]) == (UID, True, True)
        else:
            assert child.kind == PVC
            assert references == []


@any_spec
@given(drawn_specs())
def test_pods_have_no_privilege_whatever_the_pipeline_says(spec: Json) -> None:
    """https://kubernetes.io/docs/concepts/security/pod-security-standards/, profile "restricted"."""
    pod = pod_of(children_of(pipelines(spec)))
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "initContainers", "shareProcessNamespace"}
    assert pod["automountServiceAccountToken"] is False
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["runAsUser"] > 0
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    sources = {key for volume in pod["volumes"] for key in volume if key != "name"}
    assert sources <= {"configMap", "secret", "emptyDir", "persistentVolumeClaim", "image"}
    assert not any("hostPort" in port for port in container["ports"])


@any_spec
@given(drawn_specs())
def test_secret_values_are_in_secrets_alone(spec: Json) -> None:
    children = children_of(pipelines(spec))
    for child in children:
        assert (CANARY in json.dumps(child.manifest)) == (child.kind == SECRET)
        assert (child.way is Way.ENSURED) == (child.kind in (SECRET, CONTROLLER_REVISION))
