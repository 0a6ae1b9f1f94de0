"""A real API server gives the verdict on every case of the API that the models give."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from support.control_plane import ControlPlane
from support.rule_cases import MINIMAL, RULES, VALID, VALUES, Case, changed
from support.sections import EMBEDDINGS, GENERATORS, QDRANT, SECRET, put

NAME = MINIMAL["metadata"]["name"]
_DENSE = {"spec.embedding": EMBEDDINGS["FastEmbed"]}
_CHAT = {"spec.generation": GENERATORS["OpenAI"]}

# A valid object; what is taken out of it; where a rule then says what is wrong.
REMOVALS: tuple[tuple[dict[str, Any], str, str], ...] = (
    ({**_DENSE, "spec.retrieval": {"mode": "Dense"}}, "spec.embedding", "spec.retrieval"),
    ({**_DENSE, "spec.retrieval": {"candidates": 50}}, "spec.embedding", "spec.retrieval"),
    ({**_DENSE, "spec.vectorStore.index": {"hnsw": {"m": 8}}}, "spec.embedding", "spec.vectorStore"),
    ({**_DENSE, "spec.retrieval": {"candidates": 6, "topK": 5}}, "spec.retrieval.topK",
     "spec.retrieval.candidates"),
    ({**_DENSE, "spec.retrieval": {"fusion": {"method": "RRF", "rrf": {"k": 3}}}},
     "spec.retrieval.fusion.method", "spec.retrieval.fusion.rrf"),
    ({**_DENSE, "spec.retrieval": {"fusion": {"method": "Weighted", "alphaPercent": 9}}},
     "spec.retrieval.fusion.method", "spec.retrieval.fusion.alphaPercent"),
    ({"spec.chunking": {"maxTokens": 512, "overlapTokens": 300}}, "spec.chunking.maxTokens",
     "spec.chunking.overlapTokens"),
    ({"spec.vectorStore": QDRANT}, "spec.vectorStore.qdrant", "spec.vectorStore.qdrant"),
    (_DENSE, "spec.embedding.fastEmbed", "spec.embedding.fastEmbed"),
    (_CHAT, "spec.generation.openAI", "spec.generation.openAI"),
    (_CHAT, "spec.generation.openAI.apiKeySecretRef", "spec.generation.openAI.apiKeySecretRef"),
    ({**_CHAT, "spec.generation.openAI": {"baseURL": "http://a", "model": "m"}},
     "spec.generation.openAI.baseURL", "spec.generation.openAI.apiKeySecretRef"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pipelines:
    """The RAGPipelines of a namespace, over one connection."""

    client: httpx.Client
    namespace: str

    def create(self, manifest: dict[str, Any]) -> httpx.Response:
        """Ask whether a new object would be accepted, with the strict field validation of kubectl."""
        return self._send("POST", "", manifest, dry_run=True)

    def replace(self, manifest: dict[str, Any]) -> httpx.Response:
        """Ask whether an object would be accepted in the place of the stored one."""
        version = self.client.get(self._path(f"/{NAME}")).raise_for_status().json()["metadata"]
        metadata = {**manifest["metadata"], "name": NAME, "resourceVersion": version["resourceVersion"]}
        return self._send("PUT", f"/{NAME}", {**manifest, "metadata": metadata}, dry_run=True)

    def store(self, changes: dict[str, Any]) -> None:
        """Let one object be stored."""
        manifest = changed(changes)
        manifest["metadata"]["name"] = NAME
        self.client.delete(self._path(f"/{NAME}"))
        self._send("POST", "", manifest, dry_run=False).raise_for_status()

    def _send(self, method: str, name: str, manifest: dict[str, Any], *, dry_run: bool) -> httpx.Response:
        asked = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        return self.client.request(method, self._path(name), params=asked, content=json.dumps(manifest))

    def _path(self, name: str) -> str:
        return f"/apis/ragfleet.dev/v1alpha1/namespaces/{self.namespace}/ragpipelines{name}"


@pytest.fixture(scope="module")
def pipelines(control_plane: ControlPlane) -> Iterator[Pipelines]:
    """The pipelines of a namespace for all of these tests: nothing runs in it."""
    control_plane.kubectl("create", "namespace", "admission")
    with control_plane.client() as client:
        client.headers["Content-Type"] = "application/json"
        yield Pipelines(client, "admission")
    control_plane.kubectl("delete", "namespace", "admission", "--wait=false")


def causes(answer: httpx.Response) -> list[tuple[str, str]]:
    """The path and the message of each problem; none where the object is accepted."""
    if answer.is_success:
        return []
    assert answer.status_code == 422, answer.text
    return [(cause["field"], cause["message"]) for cause in answer.json()["details"]["causes"]]


def assert_told(answer: httpx.Response, case: Case) -> None:
    """That the one problem is the case's, word for word."""
    ((path, message),) = causes(answer)
    assert path == case.path
    assert message.endswith(f": {case.message}")


def test_the_definition_is_accepted_without_a_warning(control_plane: ControlPlane) -> None:
    shown = control_plane.kubectl("get", "crd", "ragpipelines.ragfleet.dev", "--output=json").stdout
    conditions = {item["type"]: item["status"] for item in json.loads(shown)["status"]["conditions"]}
    assert conditions == {"NamesAccepted": "True", "Established": "True"}


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_a_valid_object_is_accepted(pipelines: Pipelines, case: Case) -> None:
    assert causes(pipelines.create(case.manifest())) == []


@pytest.mark.parametrize("case", RULES, ids=lambda case: case.name)
def test_an_object_that_breaks_a_rule_is_refused_with_its_message(pipelines: Pipelines, case: Case) -> None:
    assert_told(pipelines.create(case.manifest()), case)


@pytest.mark.parametrize("case", VALUES, ids=lambda case: case.name)
def test_a_value_of_the_wrong_kind_is_refused_where_it_is(pipelines: Pipelines, case: Case) -> None:
    answer = pipelines.create(case.manifest())
    if answer.status_code == 400:
        assert f'strict decoding error: unknown field "{case.path}' in answer.json()["message"]
    else:
        # Beside the problem it says, of no path, that the rules were not looked at; and the check of the
        # scale subresource begins its path with a dot.
        assert {path.removeprefix(".") for path, _ in causes(answer)} - {"<nil>"} == {case.path}


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_an_object_can_be_changed_to_every_valid_one_and_back(pipelines: Pipelines, case: Case) -> None:
    pipelines.store({})
    assert causes(pipelines.replace(case.manifest())) == []
    pipelines.store(case.changes)
    assert causes(pipelines.replace(MINIMAL)) == []


@pytest.mark.parametrize("case", RULES, ids=lambda case: case.name)
def test_an_update_that_adds_what_breaks_a_rule_is_refused(pipelines: Pipelines, case: Case) -> None:
    pipelines.store({})
    assert_told(pipelines.replace(case.manifest()), case)


@pytest.mark.parametrize(("before", "removed", "path"), REMOVALS)
def test_an_update_that_takes_away_what_a_rule_needs_is_refused(
    pipelines: Pipelines, before: dict[str, Any], removed: str, path: str
) -> None:
    pipelines.store(before)
    after = changed(before)
    put(after, removed, ...)
    ((found, message),) = causes(pipelines.replace(after))
    assert found == path
    assert any(case.path == path and message.endswith(f": {case.message}") for case in RULES)


def test_an_update_of_the_address_alone_can_break_the_rule_of_its_certificate(pipelines: Pipelines) -> None:
    before = {"spec.vectorStore": QDRANT, "spec.vectorStore.qdrant.caSecretRef": SECRET}
    pipelines.store(before)
    ((path, _),) = causes(pipelines.replace(changed({**before, "spec.vectorStore.qdrant.url": "http://a"})))
    assert path == "spec.vectorStore.qdrant.caSecretRef"
