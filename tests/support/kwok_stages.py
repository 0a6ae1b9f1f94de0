"""How the pods of the tests' control plane behave: stages for KWOK, which plays the kubelet.

A pod's behaviour is named by its annotation or label ``ragfleet.test/behaviour``, or else by the tag of its
first container's image:

- ``crash``: starts and fails, again and again (CrashLoopBackOff); with ``restartPolicy: Never`` it is Failed.
- ``unready``: runs, and is never ready.
- ``pull-failure``: its image can't be pulled (ImagePullBackOff).
- ``slow-N``: runs at once, and is ready after N seconds.
- ``stubborn``: is ready, and ends only when its grace period is over.
- anything else: is ready at once. Pods of a Job succeed half a second later.

An annotation that is changed on a running pod is followed. KWOK looks at no Secret, ConfigMap or volume: a
pod that a kubelet would hold back for a missing one starts here.
"""

from __future__ import annotations

from typing import Any

import yaml

BEHAVIOUR = "ragfleet.test/behaviour"

# In jq. A path through null is null, so nothing needs to exist.
_BEHAVIOUR = (
    f'(.metadata.annotations["{BEHAVIOUR}"] // .metadata.labels["{BEHAVIOUR}"] '
    '// (.spec.containers[0].image | split("@")[0] | split(":")[1:] | last) // "")'
)
_IS_SLOW = f'({_BEHAVIOUR} | startswith("slow-"))'
_IS_GOING = ".metadata.deletionTimestamp != null"
_HAS_ENDED = '(.status.phase == "Succeeded" or .status.phase == "Failed")'
_IS_READY = 'any(.status.conditions[]?; .type == "Ready" and .status == "True")'
_IS_RUNNING = ".status.containerStatuses[0].state.running != null"
_IS_OF_JOB = 'any(.metadata.ownerReferences[]?; .kind == "Job")'
_STARTS_ONCE = '.spec.restartPolicy == "Never"'

_HEAD = """\
{{ $now := Now }}
{{ $restarts := 0 }}
{{ with .status.containerStatuses }}{{ $restarts = or (index . 0).restartCount 0 }}{{ end }}
{{ $was := "" }}
{{ range .status.conditions }}{{ if eq .type "Ready" }}{{ $was = .status }}{{ end }}{{ end }}
hostIP: {{ NodeIPWith .spec.nodeName | Quote }}
podIP: {{ or .status.podIP (PodIPWith .spec.nodeName (or .spec.hostNetwork false) (or .metadata.uid "")
  (or .metadata.name "") (or .metadata.namespace "")) | Quote }}
startTime: {{ or .status.startTime $now | Quote }}
initContainerStatuses:
{{ range .spec.initContainers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: ""
  ready: true
  restartCount: 0
  state: {terminated: {exitCode: 0, reason: Completed, startedAt: {{ $now | Quote }},
    finishedAt: {{ $now | Quote }}}}
{{ end }}
"""

_CONDITIONS = """\
{{ if ne $was "%(status)s" }}
conditions:
- {type: PodReadyToStartContainers, status: "True", lastTransitionTime: {{ $now | Quote }}}
- {type: Initialized, status: "True", lastTransitionTime: {{ $now | Quote }}}
{{ range (list "Ready" "ContainersReady") }}
- {type: {{ . }}, status: "%(status)s", reason: "%(reason)s", lastTransitionTime: {{ $now | Quote }}}
{{ end }}
{{ end }}
"""

# The digest isn't the image's: it only looks like one, and is the same for the same name.
_CONTAINERS = """\
containerStatuses:
{{ range .spec.containers }}
- name: {{ .name | Quote }}
  image: {{ .image | Quote }}
  imageID: "%(image_id)s"
  ready: %(ready)s
  started: %(started)s
  restartCount: %(restarts)s
  state: {%(state)s}
  lastState: {%(last)s}
{{ end }}
"""
_IMAGE_ID = '{{ regexReplaceAll ":[^:/]+$" (splitList "@" .image | first) "" }}@sha256:{{ sha256sum .image }}'
_TIMES = "startedAt: {{ $now | Quote }}, finishedAt: {{ $now | Quote }}"
_RUNNING = "running: {startedAt: {{ $now | Quote }}}"
_FAILED = f"terminated: {{exitCode: 1, reason: Error, {_TIMES}}}"
_SUCCEEDED = f"terminated: {{exitCode: 0, reason: Completed, {_TIMES}}}"


def stages() -> str:
    """The stages as YAML documents, for KWOK's ``--config``."""
    pods = (_ready(), _slow(), _unready(), _crash(), _failed(), _completed(), _pull_failure(), _deleted())
    return yaml.safe_dump_all(pods, sort_keys=False)


def _stage(
    name: str, when: str, following: dict[str, Any], delay: dict[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "apiVersion": "kwok.x-k8s.io/v1alpha1",
        "kind": "Stage",
        "metadata": {"name": name},
        "spec": {
            "resourceRef": {"apiGroup": "v1", "kind": "Pod"},
            "selector": {
                "matchExpressions": [{"jq": {"key": when, "operator": "In", "values": ["true"]}}],
            },
            **({"delay": delay} if delay else {}),
            "next": following,
        },
    }


def _lives(behaviour: str, *conditions: str) -> str:
    """The jq condition of a pod that is neither ended nor being deleted."""
    return " and ".join((f"({_IS_GOING} or {_HAS_ENDED} | not)", f"({behaviour})", *conditions))


def _is(behaviour: str) -> str:
    return f'{_BEHAVIOUR} == "{behaviour}"'


def _delayed(expression: str, default_milliseconds: int) -> dict[str, Any]:
    """A delay by a jq expression that gives "3s", a time, or nothing for the default."""
    return {"durationMilliseconds": default_milliseconds, "durationFrom": {"jq": {"expression": expression}}}


def _status(
    phase: str,
    state: str,
    *,
    ready: bool = False,
    reason: str = "ContainersNotReady",
    last: str = "",
    restarts: str = "{{ $restarts }}",
    image_id: str = _IMAGE_ID,
) -> dict[str, Any]:
    values = {
        "status": str(ready),
        "reason": "" if ready else reason,
        "ready": str(ready).lower(),
        "started": str(state == _RUNNING).lower(),
        "restarts": restarts,
        "state": state,
        "last": last,
        "image_id": image_id,
    }
    template = _HEAD + f"phase: {phase}\n" + _CONDITIONS % values + _CONTAINERS % values
    return {"patches": [{"subresource": "status", "root": "status", "template": template}]}


def _event(reason: str, message: str) -> dict[str, Any]:
    return {"event": {"type": "Warning", "reason": reason, "message": message}}


def _ready() -> dict[str, Any]:
    others = " or ".join(_is(name) for name in ("crash", "unready", "pull-failure"))
    seconds = f'if {_IS_SLOW} then ({_BEHAVIOUR} | ltrimstr("slow-")) + "s" else empty end'
    when = _lives(f"{others} | not", f"({_IS_READY} | not)", f"(({_IS_SLOW} | not) or {_IS_RUNNING})")
    return _stage("pod-ready", when, _status("Running", _RUNNING, ready=True), _delayed(seconds, 0))


def _slow() -> dict[str, Any]:
    return _stage("pod-slow", _lives(_IS_SLOW, f"({_IS_RUNNING} | not)"), _status("Running", _RUNNING))


def _unready() -> dict[str, Any]:
    when = _lives(_is("unready"), f"({_IS_READY} or ({_IS_RUNNING} | not))")
    return _stage("pod-unready", when, _status("Running", _RUNNING))


def _crash() -> dict[str, Any]:
    waiting = 'waiting: {reason: CrashLoopBackOff, message: "back-off restarting failed container"}'
    # As a kubelet, it doubles the pause up to five minutes; it begins with 2 s instead of 10.
    pause = (
        '.status.containerStatuses[0] | if .state.waiting.reason == "CrashLoopBackOff" '
        'then ([pow(2; .restartCount), 300] | min | tostring) + "s" else empty end'
    )
    status = _status("Running", waiting, last=_FAILED, restarts="{{ add $restarts 1 }}")
    event = _event("BackOff", "Back-off restarting failed container")
    when = _lives(_is("crash"), f"({_STARTS_ONCE} | not)")
    return _stage("pod-crash", when, {**event, **status}, _delayed(pause, 0))


def _failed() -> dict[str, Any]:
    status = _status("Failed", _FAILED, reason="PodFailed")
    return _stage("pod-failed", _lives(_is("crash"), _STARTS_ONCE), status)


def _completed() -> dict[str, Any]:
    status = _status("Succeeded", _SUCCEEDED, reason="PodCompleted")
    return _stage("pod-completed", _lives(_IS_OF_JOB, _IS_READY), status, {"durationMilliseconds": 500})


def _pull_failure() -> dict[str, Any]:
    waiting = (
        "waiting: {reason: ImagePullBackOff, message: "
        '{{ printf "Back-off pulling image %q: ErrImagePull: not found" .image | Quote }}}'
    )
    event = _event("Failed", "Failed to pull image: not found")
    is_waiting = '.status.containerStatuses[0].state.waiting.reason == "ImagePullBackOff"'
    when = _lives(_is("pull-failure"), f"({is_waiting} | not)")
    return _stage("pod-pull-failure", when, {**event, **_status("Pending", waiting, image_id="")})


def _deleted() -> dict[str, Any]:
    # With a grace period of 0 it waits only for its finalizers, which others take away.
    when = f"{_IS_GOING} and .metadata.deletionGracePeriodSeconds != 0"
    end = f"if {_is('stubborn')} then .metadata.deletionTimestamp else empty end"
    return _stage("pod-deleted", when, {"delete": True}, _delayed(end, 100))
