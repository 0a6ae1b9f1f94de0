"""Values of the wrong kind in the sections that concern a cluster, and how each is told."""

from __future__ import annotations

import json
from typing import Any

from support.case import Case
from support.sections import QDRANT, around

_QUANTITY = (
    r"must be a string of 1 to 32 characters that matches "
    r"^[0-9]+(\.[0-9]+)?(m|k|M|G|T|P|E|Ki|Mi|Gi|Ti|Pi|Ei)?$"
)
_SIZE = _QUANTITY.replace("(m|k|", "(k|")
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_NAME = f"must be a string of 1 to 253 characters that matches ^{_SUBDOMAIN}$"
_NAMESPACE = "must be a string of 1 to 63 characters that matches ^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"
_IMAGE = "must be a string of 1 to 512 characters that matches ^[a-z0-9][A-Za-z0-9._:/@-]*$"
_LABEL = (
    "must be a string of at most 63 characters that matches ^([A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?)?$"
)
_TAINT = (
    "must be a string of 1 to 253 characters that matches "
    f"^({_SUBDOMAIN}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{{0,61}}[A-Za-z0-9])?$"
)
_VARIABLE = "must be a string of 1 to 128 characters that matches ^[A-Za-z_][A-Za-z0-9_]*$"
_ENTRY = "must be a string of 1 to 253 characters that matches ^[A-Za-z0-9_-][A-Za-z0-9._-]*$"
_METRIC = "must be a string of 1 to 253 characters that matches ^[A-Za-z_:][A-Za-z0-9_:/.-]*$"
_CIDR = (
    r"must be a string of 1 to 43 characters that matches "
    r"^(((25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])\.){3}"
    r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])/(3[0-2]|[12]?[0-9])|"
    r"[0-9A-Fa-f]*:[0-9A-Fa-f:]*/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$"
)

# Texts that a pattern refuses, by where the text stands, from ``spec``.
_PATTERNS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "vectorStore.embedded.storage.size",
        _SIZE,
        ("", "10GB", "500m", "-1Gi", "1e3", "1 Gi", ".5Gi", "5Gi\n"),
    ),
    ("autoscaling.metrics[0].averageValue", _QUANTITY, ("", "a", "1,5", "+1", "1.")),
    ("autoscaling.metrics[0].name", _METRIC, ("", "a b", "1a")),
    ("vectorStore.embedded.storage.storageClassName", _NAME, ("", "Fast", "a_b", "a..b", "a/b", "a\n")),
    ("runtime.imagePullSecrets[0].name", _NAME, ("", "../a", "a.-b")),
    ("runtime.image", _IMAGE, ("", "https://a b", "A/b", "-a", "a\n", "a b")),
    ("runtime.models.image.reference", _IMAGE, ("", "a,b")),
    ("runtime.models.persistentVolumeClaim.claimName", _NAME, ("", "/models")),
    ("runtime.serviceAccount.name", _NAME, ("", "system:admin")),
    ("runtime.tolerations[0].key", _TAINT, ("", "a b", "/a", "a./b")),
    ("runtime.tolerations[0].value", _LABEL, ("a b", "-a", "é")),
    ("runtime.env[0].name", _VARIABLE, ("", "A-B", "1A", "A=B", "A\n")),
    ("runtime.caBundle.configMapName", _NAME, ("", "A")),
    ("runtime.caBundle.key", _ENTRY, ("", "..", "../ca.crt", "a/b")),
    ("exposure.ingress.host", _NAME, ("", "*.example.com", "https://a", "a:443", "A.example", "a/b")),
    ("exposure.httpRoute.hostnames[0]", _NAME, ("", "*.example.com")),
    ("exposure.httpRoute.parentRefs[0].namespace", _NAMESPACE, ("", "a.b")),
    (
        "networkPolicy.egress[0].cidr",
        _CIDR,
        (
            "",
            "10.0.0.0",
            "10.0.0.0/33",
            "256.0.0.0/8",
            "10.0.0/8",
            "010.0.0.0/8",
            "::/129",
            "::",
            "a/8",
            "::/01",
        ),
    ),
)
_MAPS: tuple[tuple[str, str, Any], ...] = (
    ("runtime.labels", _LABEL, "a b"),
    ("networkPolicy.egress[0].peer.podLabels", _LABEL, "a-"),
    ("runtime.resources.limits", _QUANTITY, "one"),
)


def _changes(path: str, value: Any) -> dict[str, Any]:
    return {f"spec.{where}": item for where, item in around(path, value).items()}


_SHAPES = (
    Case("labels in a list", {"spec.runtime.labels": ["a"]}, path="spec.runtime.labels",
         message="found a list; must be an object with at most 32 string values"),
    Case("too many labels", {"spec.runtime.labels": {f"a{place}": "" for place in range(33)}},
         path="spec.runtime.labels",
         message="found an object; must be an object with at most 32 string values"),
    Case("a number for an amount", {"spec.runtime.resources.limits": {"cpu": 2}},
         path="spec.runtime.resources.limits.cpu", message=f"found 2 (integer); {_QUANTITY}"),
    Case("a route that hangs on nothing", {"spec.exposure": {
        "type": "HTTPRoute", "httpRoute": {"parentRefs": []}}}, path="spec.exposure.httpRoute.parentRefs",
         message="found a list; must be a list of 1 to 8 items"),
    Case("a port by name", {"spec.networkPolicy.egress": [{"cidr": "::/0", "ports": ["https"]}]},
         path="spec.networkPolicy.egress[0].ports[0]",
         message='found "https" (string); must be an integer from 1 to 65535'),
    Case("no host", {"spec.exposure": {"type": "Ingress", "ingress": {}}}, path="spec.exposure.ingress.host",
         message=f"required, and missing; {_NAME}"),
    Case("two variables of one name", {"spec.runtime.env": [
        {"name": "A", "value": "a"}, {"name": "A", "value": "b"}]}, path="spec.runtime.env[1]",
         message='name "A" is that of an item above; each needs its own'),
    Case("no policy in the list", {"spec.vectorStore": QDRANT,
                                   "spec.autoscaling.behavior.scaleUp.policies": []},
         path="spec.autoscaling.behavior.scaleUp.policies",
         message="found a list; must be a list of 1 to 4 items"),
    *(Case(f"a deadline of {seconds} seconds", {"spec.upgrade.deadlineSeconds": seconds},
           path="spec.upgrade.deadlineSeconds",
           message=f"found {seconds}; must be an integer from 30 to 86400") for seconds in (0, 29, 86_401)),
    Case("a deadline with a unit", {"spec.upgrade.deadlineSeconds": "10m"},
         path="spec.upgrade.deadlineSeconds",
         message='found "10m" (string); must be an integer from 30 to 86400'),
    *(Case(f"a history of {limit}", {"spec.upgrade.historyLimit": limit}, path="spec.upgrade.historyLimit",
           message=f"found {limit}; must be an integer from 1 to 50") for limit in (0, 51)),
    Case("another way to roll back", {"spec.upgrade.rollback": "Manual"}, path="spec.upgrade.rollback",
         message='found "Manual"; must be one of Automatic, Never'),
    Case("another policy of upgrades", {"spec.runtime.upgradePolicy": "Always"},
         path="spec.runtime.upgradePolicy", message='found "Always"; must be one of Pinned, WithOperator'),
    *(Case(f"{field} of pods", {f"spec.runtime.{field}": {}}, path=f"spec.runtime.{field}",
           message="unknown field; allowed: annotations, caBundle, env, image, imagePullPolicy, "
                   "imagePullSecrets, labels, models, nodeSelector, priorityClassName, resources, "
                   "serviceAccount, tolerations, upgradePolicy")
      for field in ("hostNetwork", "securityContext", "volumes")),
)  # fmt: skip

CLUSTER_VALUES = (
    *_SHAPES,
    *(
        Case(
            f"{path} is {text!a}",
            _changes(path, text),
            path=f"spec.{path}",
            message=f"found {json.dumps(text, ensure_ascii=False)}; {expected}",
        )
        for path, expected, texts in _PATTERNS
        for text in texts
    ),
    *(
        Case(
            f"a value of {path} is {text!a}",
            _changes(path, {"cpu": text}),
            path=f"spec.{path}.cpu",
            message=f"found {json.dumps(text)}; {expected}",
        )
        for path, expected, text in _MAPS
    ),
)
