from __future__ import annotations

import json
from typing import Any

import pytest

from ragfleet_operator.render import Reference, config_of, references
from ragfleet_operator.render.references import service_refs
from support.rendering import EXAMPLE_NAMES, SETTINGS, example, make_pipeline, pipeline_of, walk
from support.rule_cases import VALID
from support.sections import EMBEDDINGS, EXPOSURES, GENERATORS, MODELS


def found(changes: dict[str, Any]) -> dict[str, Reference]:
    return {one.used_by: one for one in references(make_pipeline(changes), SETTINGS)}


def entry(path: str, name: str, key: str, *, rolls: bool = False) -> tuple[str, Reference]:
    return path, Reference("Secret", name, frozenset({key}), path, rolls=rolls)


def test_a_pipeline_that_refers_to_nothing_has_none() -> None:
    assert references(make_pipeline({"auth": {"required": True}}), SETTINGS) == ()


def test_every_section_that_names_a_secret_entry_is_looked_into() -> None:
    def provider(type_: str, name: str) -> dict[str, Any]:
        section = "openAI" if type_ == "OpenAI" else type_.lower()
        return {"type": type_, section: {"model": "m", "apiKeySecretRef": {"name": name, "key": "k"}}}

    server = {
        "url": "https://qdrant:6333",
        "apiKeySecretRef": {"name": "store", "key": "k"},
        "caSecretRef": {"name": "store", "key": "ca"},
    }
    fallbacks = [
        {"name": "x", **provider("Anthropic", "second")},
        {"name": "y", **provider("OpenAI", "third")},
    ]
    changes = {
        "vectorStore": {"type": "Qdrant", "qdrant": server},
        "embedding": provider("Cohere", "vectors"),
        "generation": {**provider("OpenAI", "first"), "fallbacks": fallbacks},
        "runtime.env": [
            {"name": "A", "value": "a"},
            {"name": "B", "secretKeyRef": {"name": "env", "key": "k"}},
        ],
    }
    assert found(changes) == dict(
        [
            entry("spec.vectorStore.qdrant.apiKeySecretRef", "store", "k"),
            entry("spec.vectorStore.qdrant.caSecretRef", "store", "ca", rolls=True),
            entry("spec.embedding.cohere.apiKeySecretRef", "vectors", "k"),
            entry("spec.generation.openAI.apiKeySecretRef", "first", "k"),
            entry("spec.generation.fallbacks[0].anthropic.apiKeySecretRef", "second", "k"),
            entry("spec.generation.fallbacks[1].openAI.apiKeySecretRef", "third", "k"),
            entry("spec.runtime.env[1].secretKeyRef", "env", "k", rolls=True),
        ]
    )
    assert set(found({"embedding": EMBEDDINGS["OpenAI"]})) == {"spec.embedding.openAI.apiKeySecretRef"}
    assert set(found({"generation": GENERATORS["Anthropic"]})) == {
        "spec.generation.anthropic.apiKeySecretRef"
    }


@pytest.mark.parametrize(
    ("changes", "what", "name", "keys", "used_by"),
    [
        (
            {"auth": {"apiKeys": {"secretRef": {"name": "callers"}}}},
            "Secret",
            "callers",
            (),
            "spec.auth.apiKeys.secretRef",
        ),
        (
            {"runtime.imagePullSecrets": [{"name": "registry"}]},
            "Secret",
            "registry",
            (),
            "spec.runtime.imagePullSecrets[0]",
        ),
        (
            {"runtime.models": MODELS["PersistentVolumeClaim"]},
            "PersistentVolumeClaim",
            "models",
            (),
            "spec.runtime.models.persistentVolumeClaim",
        ),
        (
            {"runtime.serviceAccount": {"name": "reader"}},
            "ServiceAccount",
            "reader",
            (),
            "spec.runtime.serviceAccount.name",
        ),
        (
            {"runtime.caBundle": {"configMapName": "authorities", "key": "ca.pem"}},
            "ConfigMap",
            "authorities",
            ("ca.pem",),
            "spec.runtime.caBundle",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_pods_cannot_do_without(
    changes: dict[str, Any], what: str, name: str, keys: tuple[str, ...], used_by: str
) -> None:
    (one,) = references(make_pipeline(changes), SETTINGS)
    assert (one.what, one.name, one.keys, one.used_by) == (what, name, frozenset(keys), used_by)
    assert one.is_needed
    assert one.rolls == (what == "ConfigMap")  # the service's libraries read authorities as it starts


def test_pods_run_without_the_certificate_of_an_ingress() -> None:
    section = {**EXPOSURES["Ingress"]["ingress"], "tlsSecretName": "own-tls"}
    (one,) = references(make_pipeline({"exposure": {"type": "Ingress", "ingress": section}}), SETTINGS)
    assert (one.what, one.name, one.used_by) == ("Secret", "own-tls", "spec.exposure.ingress.tlsSecretName")
    assert not one.is_needed
    assert not one.rolls


def refs_of_the_configuration(config: Any) -> set[tuple[str, str]]:
    text = json.loads(config.canonical_json())
    return {
        (value["name"], value["key"])
        for _, value in walk(text)
        if isinstance(value, dict) and value.keys() == {"name", "key"}
    }


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_the_entries_are_those_that_an_examples_configuration_names(name: str) -> None:
    pipeline = example(name)
    entries = {(ref.name, ref.key) for _, ref in service_refs(pipeline.spec)}
    assert entries == refs_of_the_configuration(config_of(pipeline, SETTINGS))


@pytest.mark.parametrize("case", VALID, ids=lambda case: case.name)
def test_the_entries_are_those_that_the_service_reads(case: Any) -> None:
    pipeline = pipeline_of(case.manifest()["spec"])
    entries = {(ref.name, ref.key) for _, ref in service_refs(pipeline.spec)}
    assert entries == refs_of_the_configuration(config_of(pipeline, SETTINGS))
