"""The examples: each manifest is valid and means what its README says, and each command there is one."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from typer.testing import CliRunner

from ragfleet_api.config.project import project
from ragfleet_api.config.runtime import Owner, RuntimeConfig
from ragfleet_api.manifest import load_manifest
from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_cli.main import build_app
from ragfleet_runtime.guard.needed import secret_refs

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
# The quickstart has its own README in the repository's, and tests of its own.
NAMES = sorted(
    path.parent.name for path in EXAMPLES.glob("*/pipeline.yaml") if path.parent.name != "quickstart"
)
# Those for Kubernetes alone: their servers and files are in a cluster.
IN_A_CLUSTER = {"cluster", "cluster-embedded"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_FROM_FOLDER = "models/all-MiniLM-L6-v2"

each_example = pytest.mark.parametrize("name", NAMES)


def readme(name: str) -> str:
    return (EXAMPLES / name / "README.md").read_text(encoding="utf-8")


def config_of(name: str, *overrides: str) -> RuntimeConfig:
    pipeline = load_manifest(EXAMPLES / name / "pipeline.yaml", overrides)
    metadata = pipeline.metadata
    return project(
        pipeline.spec,
        Owner(cluster="local", namespace=metadata.namespace or "default", name=metadata.name),
    )


def commands() -> list[tuple[str, str]]:
    """The commands of each README, without the prompt."""
    return [
        (name, line.removeprefix("$ "))
        for name in NAMES
        for _, block in _FENCE.findall(readme(name))
        for line in block.splitlines()
    ]


def test_the_examples_are_those_of_the_documentation() -> None:
    assert NAMES == [
        "anthropic",
        "cluster",
        "cluster-embedded",
        "hybrid",
        "openai",
        "qdrant-server",
        "vllm",
    ]
    reference = (ROOT / "docs" / "manifest.md").read_text(encoding="utf-8")
    assert all(f"(../examples/{name})" in reference for name in NAMES)


@each_example
def test_a_readme_is_short_and_its_blocks_are_of_commands(name: str) -> None:
    text = readme(name)
    assert len(text.splitlines()) < 25
    assert {language for language, _ in _FENCE.findall(text)} == {"console"}
    command = "kubectl apply" if name in IN_A_CLUSTER else "ragfleet up"
    assert f"{command} -f examples/{name}/pipeline.yaml" in text


@pytest.mark.parametrize(("name", "command"), commands())
def test_a_command_of_a_readme_has_the_options_that_it_uses(name: str, command: str) -> None:
    words = shlex.split(command)
    assert all((ROOT / word).exists() for word in words if word.startswith("examples/"))
    if words[0] == "ragfleet":
        # Options are read before help is given, and an unknown one is an error.
        result = CliRunner().invoke(build_app(), [*words[1:], "--help"])
        assert result.exit_code == 0, result.output
    else:
        assert words[0] in {"pip", "hf", "vllm", "export", "kubectl"}


@each_example
def test_a_readme_tells_of_every_secret(name: str) -> None:
    config, text = config_of(name), readme(name)
    for ref in secret_refs(config):
        assert f"`{ref.name}`" in text
        assert f"`{ref.key}`" in text
    if config.auth.required and not config.auth.generate:
        assert f"`{config.auth.secret}`" in text
    if not list(secret_refs(config)) and (config.auth.generate or not config.auth.required):
        assert "Secrets: none." in text


@each_example
def test_generated_keys_are_where_the_readme_says(name: str) -> None:
    config = config_of(name)
    if name in IN_A_CLUSTER:
        assert config.auth.generate == (f"get secret -n team-a {config.auth.secret}" in readme(name))
    elif config.auth.generate:
        folder = f".ragfleet/{config.owner.namespace}-{config.owner.name}"
        assert f"{folder}/{config.auth.secret}/default.admin" in readme(name)
    else:
        assert ".ragfleet/default-" not in readme(name)


def test_hybrid() -> None:
    config = config_of("hybrid")
    assert config.embedding is not None
    assert config.embedding.provider.type == "FastEmbed"
    assert config.embedding.provider.path == _FROM_FOLDER
    assert config.retrieval.mode == "Hybrid"
    assert (config.retrieval.fusion.method, config.retrieval.candidates) == ("DBSF", 200)
    assert not config.auth.required
    elsewhere = config_of("hybrid", "embedding.fastEmbed.path=/models/minilm")
    assert elsewhere.embedding is not None
    assert elsewhere.embedding.provider.model == config.embedding.provider.model
    assert elsewhere.store == config.store


def test_openai() -> None:
    config = config_of("openai")
    key = SecretKeyRef(name="openai", key="token")
    assert list(secret_refs(config)) == [key, key]
    assert config.embedding is not None
    assert config.embedding.provider.type == "OpenAI"
    assert config.embedding.dimensions == 512
    assert config.retrieval.when_embedding_fails == "SearchSparse"
    assert [generator.type for generator in config.generation.generators] == ["OpenAI", "Extractive"]


def test_anthropic() -> None:
    config = config_of("anthropic")
    generators = [(generator.name, generator.type) for generator in config.generation.generators]
    assert generators == [("anthropic", "Anthropic"), ("smaller", "Anthropic"), ("quotes", "Extractive")]
    assert config.generation.prompt.temperature is None
    assert config.embedding is not None
    assert config.embedding.provider.type == "FastEmbed"


def test_vllm() -> None:
    config = config_of("vllm")
    assert not list(secret_refs(config))
    assert config.embedding is not None
    assert config.embedding.provider.type == "OpenAI"
    assert config.embedding.provider.base_url == "http://127.0.0.1:8001/v1"
    (chat, quotes) = config.generation.generators
    assert chat.type == "OpenAI"
    assert (chat.base_url, chat.max_tokens_parameter) == ("http://127.0.0.1:8000/v1", "max_tokens")
    assert quotes.type == "Extractive"


def test_qdrant_server() -> None:
    pipeline = load_manifest(EXAMPLES / "qdrant-server" / "pipeline.yaml")
    assert pipeline.spec.replicas == 2
    config = config_of("qdrant-server")
    assert config.store.engine == "Qdrant"
    assert config.store.qdrant is not None
    assert config.store.qdrant.api_key == SecretKeyRef(name="qdrant", key="api-key")
    assert config.store.qdrant.ca == SecretKeyRef(name="qdrant", key="ca.crt")
    assert [index.key for index in config.store.index.metadata] == ["team", "year", "published_at"]
    assert (config.auth.required, config.auth.secret) == (True, "catalogue-callers")


def test_cluster() -> None:
    spec = load_manifest(EXAMPLES / "cluster" / "pipeline.yaml").spec
    config = config_of("cluster")
    assert config.store.qdrant is not None
    assert config.store.qdrant.api_key == SecretKeyRef(name="qdrant", key="api-key")
    assert config.embedding is not None
    assert config.embedding.provider.type == "FastEmbed"
    assert config.embedding.provider.path == f"/{_FROM_FOLDER}"
    assert (config.auth.required, config.auth.secret) == (True, "handbook-callers")
    assert spec.autoscaling is not None
    assert spec.replicas is None
    assert spec.runtime is not None
    assert spec.runtime.models is not None
    assert spec.runtime.models.type == "PersistentVolumeClaim"
    assert spec.exposure is not None
    assert spec.exposure.type == "Ingress"
    assert spec.network_policy is not None
    assert spec.monitoring is not None


def test_the_policy_of_the_cluster_lets_the_service_call_what_it_needs() -> None:
    """The namespace and the port of each address in the configuration are among the destinations."""
    config = config_of("cluster")
    policy = load_manifest(EXAMPLES / "cluster" / "pipeline.yaml").spec.network_policy
    assert config.store.qdrant is not None
    (chat, _) = config.generation.generators
    assert chat.type == "OpenAI"
    called = {
        (urlsplit(url).hostname, urlsplit(url).port) for url in (config.store.qdrant.url, chat.base_url)
    }
    assert policy is not None
    allowed = {
        ((item.peer.namespace_labels or {}).get("kubernetes.io/metadata.name"), port)
        for item in policy.egress or ()
        if item.peer is not None
        for port in item.ports or ()
    }
    assert {(str(host).partition(".")[2], port) for host, port in called} == allowed


def test_cluster_embedded() -> None:
    spec = load_manifest(EXAMPLES / "cluster-embedded" / "pipeline.yaml").spec
    config = config_of("cluster-embedded")
    assert config.store.engine == "Embedded"
    assert spec.vector_store.embedded is not None
    assert spec.vector_store.embedded.storage is not None
    assert spec.vector_store.embedded.storage.size == "20Gi"
    assert spec.vector_store.deletion_policy == "Retain"
    assert spec.exposure is not None
    assert spec.exposure.type == "HTTPRoute"
    # Nothing is called, so nothing may be.
    assert config.embedding is None
    assert [generator.type for generator in config.generation.generators] == ["Extractive"]
    assert spec.network_policy is not None
    assert spec.network_policy.egress == []
