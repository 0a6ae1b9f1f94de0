from __future__ import annotations

from typing import Any

import pytest

from ragfleet_operator.kinds import INGRESS, SERVICE
from support.rendering import of_kind, one, rendered
from support.sections import EXPOSURES

NGINX = "nginx.ingress.kubernetes.io"


def ingress(changes: dict[str, Any] | None = None, **section: Any) -> dict[str, Any]:
    exposure = {"type": "Ingress", "ingress": {"host": "handbook.example", **section}}
    return one(rendered({**(changes or {}), "exposure": exposure}), INGRESS)


def test_it_leads_from_the_host_to_the_service() -> None:
    spec = ingress(className="nginx")["spec"]
    assert spec["ingressClassName"] == "nginx"
    (rule,) = spec["rules"]
    assert rule["host"] == "handbook.example"
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/", "Prefix")
    assert path["backend"]["service"] == {"name": "handbook", "port": {"name": "http"}}
    public, _ = of_kind(rendered(), SERVICE)
    assert public.name == "handbook"


def test_a_certificate_is_for_the_host() -> None:
    assert "tls" not in ingress()["spec"]
    assert ingress(tlsSecretName="own-tls")["spec"]["tls"] == [
        {"hosts": ["handbook.example"], "secretName": "own-tls"}
    ]


@pytest.mark.parametrize(("deadline", "seconds"), [(60, "605"), (3600, "3605")])
def test_streams_and_long_answers_and_big_bodies_pass_ingress_nginx(deadline: int, seconds: str) -> None:
    changes = {"requests.deadlineSeconds": deadline, "ingestion.maxRequestMegabytes": 200}
    assert ingress(changes)["metadata"]["annotations"] == {
        f"{NGINX}/proxy-buffering": "off",
        f"{NGINX}/proxy-read-timeout": seconds,
        f"{NGINX}/proxy-body-size": "201m",
    }


def test_the_pipelines_annotations_win() -> None:
    own = {f"{NGINX}/proxy-body-size": "1m", "example.com/dns": "yes"}
    found = ingress(annotations=own)["metadata"]["annotations"]
    assert own.items() <= found.items()
    assert found[f"{NGINX}/proxy-buffering"] == "off"


@pytest.mark.parametrize("changes", [{}, {"exposure": EXPOSURES["HTTPRoute"]}])
def test_there_is_none_where_none_is_asked_for(changes: dict[str, Any]) -> None:
    assert of_kind(rendered(changes), INGRESS) == []
