"""A restart changes nothing, an end is in order, and no Secret is told to anybody."""

from __future__ import annotations

import base64
import json
import signal
import time

from support.cluster_pipelines import Place, pipeline
from support.control_plane import ControlPlane
from support.operator_process import operator_process

CANARY = "canary-5f0c1d7e-never-to-be-seen"
OPENAI = {
    "type": "OpenAI",
    "openAI": {
        "baseURL": "http://llm.example:8000/v1",
        "model": "small",
        "apiKeySecretRef": {"name": "llm", "key": "token"},
    },
}


def test_a_restart_of_the_operator_changes_no_object(control_plane: ControlPlane, namespace: str) -> None:
    place = Place(control_plane, namespace)
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        place.apply(
            pipeline(), pipeline("second", replicas=None, autoscaling={"minReplicas": 1, "maxReplicas": 3})
        )
        place.wait_ready()
        place.wait_ready("second")
        time.sleep(5)  # the last status, and the first answer of the admin port
        before = place.versions()
        assert operator.terminate() == 0
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        operator.wait_until(
            lambda: 'reconcile_duration_seconds_count{result="success"}' in operator.get("/metrics").text,
            "a pass",
        )
        time.sleep(5)
        assert place.versions() == before
        assert "ragfleet_operator_writes_total{" not in operator.get("/metrics").text


def test_a_signal_ends_it_in_order_and_a_second_one_at_once(
    control_plane: ControlPlane, namespace: str
) -> None:
    place = Place(control_plane, namespace)
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        place.apply(*(pipeline(f"p{number}") for number in range(8)))
        begun = time.monotonic()
        assert operator.terminate() == 0
        assert time.monotonic() - begun < 12
        assert operator.log.splitlines()[-1].find("the operator has ended") > 0
        assert operator.tracebacks == []
    with operator_process(control_plane, namespaces=[namespace]) as operator:
        control_plane.pause_api_server()
        try:
            operator.process.send_signal(signal.SIGINT)
            operator.wait_until(lambda: "ending" in operator.log, "the first signal to be taken")
            operator.process.send_signal(signal.SIGINT)
            # The last is the interpreter's own end, where the signal comes once the loop is closed.
            assert operator.process.wait(5) in {0, 130, -signal.SIGINT}
        finally:
            control_plane.resume_api_server()


def test_no_secret_is_ever_told(control_plane: ControlPlane, namespace: str) -> None:
    place = Place(control_plane, namespace)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "llm"},
        "stringData": {"token": CANARY},
    }
    watched = {
        **secret,
        "metadata": {"name": "seen", "labels": {"ragfleet.dev/watch": "true"}},
        "stringData": {"token": CANARY},
    }
    with operator_process(control_plane, "--log-level", "debug", namespaces=[namespace]) as operator:
        place.apply(pipeline(generation=OPENAI))
        place.wait_for("SecretsResolved=False", seconds=20)
        place.apply(secret, watched, pipeline("bad", runtime={"image": "registry.example/ragfleet:crash"}))
        place.wait_ready()
        # Faults too: what is refused may be repeated in an error.
        place.kubectl(
            "patch",
            "secret/handbook-api-keys",
            "--type=merge",
            f'--patch={{"stringData":{{"x":"{CANARY}"}}}}',
        )
        place.kubectl("delete", "secret/handbook-admin")
        place.wait_until(lambda: place.get("secret/handbook-admin"), "the token to be made again")
        place.wait_for("RuntimeAvailable=False", "bad", 30)
        hidden = {CANARY, base64.b64encode(CANARY.encode()).decode()}
        for item in place.list("secrets"):
            for value in item.get("data", {}).values():
                hidden |= {value, base64.b64decode(value).decode()}
        kinds = "ragp,sa,configmap,netpol,svc,controllerrevisions,deploy,rs,pods,hpa,pdb,events"
        told = {
            "log": operator.log,
            "metrics": operator.get("/metrics").text,
            "readyz": operator.get("/readyz").text,
            "objects": place.kubectl("get", kinds, "-o", "json", "--show-managed-fields").stdout,
            "metadata of secrets": json.dumps([
                {**item["metadata"], "annotations": _ours(item["metadata"].get("annotations", {}))}
                for item in place.list("secrets")
            ]),
        }  # fmt: skip
    for where, text in told.items():
        for value in hidden:
            assert value not in text, where


def _ours(annotations: dict[str, str]) -> dict[str, str]:
    """Without what kubectl apply keeps of the Secret that the test itself applied."""
    return {name: text for name, text in annotations.items() if not name.startswith("kubectl.kubernetes.io/")}
