"""What people do to pipelines and to children, at random."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import httpx
import orjson

from bench.chaos.specs import KEY_SECRET, drawn_manifest, key_secret
from ragfleet_operator.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HPA,
    INGRESS,
    NETWORK_POLICY,
    PDB,
    PIPELINE,
    POD,
    SECRET,
    SERVICE,
    SERVICE_ACCOUNT,
    Kind,
)
from ragfleet_operator.names import PIN_ANNOTATION, PIPELINE_LABEL, REVISION_LABEL

# Fields that the operator applies, and values that it never would.
_EDITS: Final[Mapping[Kind, Mapping[str, Any]]] = {
    SERVICE_ACCOUNT: {"automountServiceAccountToken": True},
    NETWORK_POLICY: {"spec": {"policyTypes": ["Egress"]}},
    SERVICE: {"spec": {"selector": {"app.kubernetes.io/name": "x"}}},
    DEPLOYMENT: {"spec": {"minReadySeconds": 7}},
    HPA: {"spec": {"maxReplicas": 9}},
    PDB: {"spec": {"maxUnavailable": 2}},
    INGRESS: {"spec": {"rules": [{"host": "other.example"}]}},
}
_DELETED: Final = (*_EDITS, CONFIG_MAP, SECRET, CONTROLLER_REVISION, POD)
_LEFT: Final = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})
_UNLABELLED: Final = {"metadata": {"labels": {PIPELINE_LABEL: None}}}


class Place(NamedTuple):
    """A pipeline's."""

    namespace: str
    name: str


class Users:
    """People who own pipelines, and people who meddle with what is made of them."""

    def __init__(self, client: httpx.Client, places: Sequence[Place]) -> None:
        self._client = client
        self._places = places

    def create_all(self, chance: random.Random) -> None:
        """Make every namespace, its Secret and its pipelines."""
        for namespace in sorted({place.namespace for place in self._places}):
            self._ask("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
            secret = key_secret("first", watched=chance.random() < 0.5)
            self._ask("POST", SECRET.path(namespace), secret)
        for place in self._places:
            self._apply(place, chance)

    def own(self, chance: random.Random) -> str:
        """One thing that owners do."""
        place = chance.choice(self._places)
        acts: Sequence[tuple[int, Callable[[Place, random.Random], str]]] = (
            (50, self._apply),
            (8, self._apply_twice),
            (12, self._scale),
            (8, self._suspend),
            (8, self._delete),
            (5, self._delete_and_make),
            (6, self._pin),
            (3, self._renew_key),
        )
        act = chance.choices([act for _, act in acts], [weight for weight, _ in acts])[0]
        return act(place, chance)

    def meddle(self, chance: random.Random) -> str:
        """One thing that is done to a child."""
        place = chance.choice(self._places)
        if chance.random() < 0.5:
            kind = chance.choice(_DELETED)
            return self._to_child(place, chance, kind, "delete", None)
        kind = chance.choice(list(_EDITS))
        if chance.random() < 0.1:
            return self._to_child(place, chance, kind, "take the label of", _UNLABELLED)
        return self._to_child(place, chance, kind, "edit", _EDITS[kind])

    def calm(self) -> None:
        """The last edits: every pipeline is there, and none is suspended."""
        for place in self._places:
            if not self._get(place):
                self._apply(place, random.Random(place.name))
            self._merge(PIPELINE, place, {"spec": {"suspend": False}})

    def _apply(self, place: Place, chance: random.Random) -> str:
        """Replace the whole spec: what others set in it isn't kept."""
        manifest = drawn_manifest(place.name, chance)
        path, patch = PIPELINE.path(*place), [{"op": "replace", "path": "/spec", "value": manifest["spec"]}]
        if self._ask("PATCH", path, patch, "application/json-patch+json") == HTTPStatus.NOT_FOUND:
            self._ask("POST", PIPELINE.path(place.namespace), manifest)
            return "make a pipeline"
        return "edit a pipeline"

    def _apply_twice(self, place: Place, chance: random.Random) -> str:
        self._apply(place, chance)
        self._apply(place, chance)
        return "edit a pipeline twice"

    def _scale(self, place: Place, chance: random.Random) -> str:
        if "replicas" not in self._get(place).get("spec", {}):
            return "nothing to scale"
        self._merge(PIPELINE, place, {"spec": {"replicas": chance.randint(1, 3)}})
        return "scale a pipeline"

    def _suspend(self, place: Place, chance: random.Random) -> str:
        suspended = bool(self._get(place).get("spec", {}).get("suspend"))
        self._merge(PIPELINE, place, {"spec": {"suspend": not suspended}})
        return "suspend or resume a pipeline"

    def _delete(self, place: Place, chance: random.Random) -> str:
        self._ask("DELETE", PIPELINE.path(*place))
        return "delete a pipeline"

    def _delete_and_make(self, place: Place, chance: random.Random) -> str:
        self._delete(place, chance)
        self._apply(place, chance)
        return "make a pipeline anew"

    def _pin(self, place: Place, chance: random.Random) -> str:
        found = self._get(place)
        revisions = self._children(place, CONTROLLER_REVISION)
        known = [item["metadata"]["labels"].get(REVISION_LABEL, "") for item in revisions]
        if not found or not known:
            return "nothing to pin"
        id_ = chance.choice([*known, "0123456789"])
        pin = chance.choice([f"{id_}@{found['metadata']['generation']}", id_, None, None])
        self._merge(PIPELINE, place, {"metadata": {"annotations": {PIN_ANNOTATION: pin}}})
        return "pin a revision" if pin else "take a pin away"

    def _renew_key(self, place: Place, chance: random.Random) -> str:
        value = {"stringData": {"token": f"key-{chance.randrange(1000)}"}}
        self._merge(SECRET, Place(place.namespace, KEY_SECRET), value)
        return "renew a key"

    def _to_child(
        self, place: Place, chance: random.Random, kind: Kind, what: str, patch: Mapping[str, Any] | None
    ) -> str:
        found = self._children(place, kind)
        if not found:
            return "no child of that kind"
        name = chance.choice(found)["metadata"]["name"]
        child = Place(place.namespace, name)
        if patch is None:
            self._ask("DELETE", kind.path(*child) + "?propagationPolicy=Background")
        else:
            self._merge(kind, child, patch)
        return f"{what} a {kind.kind}"

    def _children(self, place: Place, kind: Kind) -> list[dict[str, Any]]:
        selector = (
            f"{PIPELINE_LABEL}={place.name}" if kind != POD else f"app.kubernetes.io/instance={place.name}"
        )
        answer = self._client.get(kind.path(place.namespace), params={"labelSelector": selector})
        found: list[dict[str, Any]] = answer.json().get("items") or []
        return found

    def _get(self, place: Place) -> dict[str, Any]:
        answer = self._client.get(PIPELINE.path(*place))
        found: dict[str, Any] = answer.json() if answer.is_success else {}
        return found

    def _merge(self, kind: Kind, place: Place, patch: Mapping[str, Any]) -> None:
        self._ask("PATCH", kind.path(*place) + "?fieldManager=by-hand", patch, "application/merge-patch+json")

    def _ask(self, method: str, path: str, body: object = None, type_: str = "application/json") -> int:
        """Do it; the answer's code. What isn't there any more, or what changed meanwhile, is left."""
        content = None if body is None else orjson.dumps(body)
        answer = self._client.request(method, path, content=content, headers={"Content-Type": type_})
        # 5xx: an API server that comes up answers so.
        if answer.is_client_error and answer.status_code not in _LEFT:
            raise RuntimeError(f"{method} {path}: {answer.status_code} {answer.text[:500]}")
        return answer.status_code
