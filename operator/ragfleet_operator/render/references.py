"""What a pipeline refers to and doesn't make: Secrets, ConfigMaps, claims and accounts."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ragfleet_api.spec.common import SecretKeyRef
from ragfleet_api.spec.generation import Generation, GenerationFallback
from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_api.spec.runtime import Runtime
from ragfleet_operator.model import Pipeline, Settings

What = Literal["Secret", "ConfigMap", "PersistentVolumeClaim", "ServiceAccount"]

# Of what the service reads itself, the one entry that it doesn't read again for each call.
_AUTHORITY: Final = "spec.vectorStore.qdrant.caSecretRef"


@dataclass(frozen=True, slots=True)
class Reference:
    """An object in the pipeline's namespace that somebody else makes.

    keys: entries that it must have; none: any will do. used_by: the path in the spec. is_needed: whether pods
    can't run without it. rolls: whether pods read it only as they start, so that a change has to roll them.
    """

    what: What
    name: str
    keys: frozenset[str]
    used_by: str
    is_needed: bool = True
    rolls: bool = True


def references(pipeline: Pipeline, settings: Settings) -> tuple[Reference, ...]:
    """All that the spec refers to, in the order of its fields; an object that two fields name comes twice.

    settings: part of what rendering depends on; nothing that the operator was started with is referred to.
    """
    del settings
    spec = pipeline.spec
    return (
        *(_of_service(path, ref) for path, ref in service_refs(spec)),
        *_callers(spec),
        *_of_pods(spec.runtime or Runtime()),
        *_certificate(spec),
    )


def service_refs(spec: RAGPipelineSpec) -> tuple[tuple[str, SecretKeyRef], ...]:
    """The Secret entries that the service itself reads, each with its path in the spec."""
    return tuple(
        (path, ref)
        for path, ref in (*_of_store(spec), *_of_embedding(spec), *_of_generation(spec.generation))
        if ref is not None
    )


def _of_store(spec: RAGPipelineSpec) -> Iterator[tuple[str, SecretKeyRef | None]]:
    qdrant = spec.vector_store.qdrant
    if qdrant is not None:
        yield "spec.vectorStore.qdrant.apiKeySecretRef", qdrant.api_key_secret_ref
        yield _AUTHORITY, qdrant.ca_secret_ref


def _of_embedding(spec: RAGPipelineSpec) -> Iterator[tuple[str, SecretKeyRef | None]]:
    embedding = spec.embedding
    if embedding is not None and embedding.open_ai is not None:
        yield "spec.embedding.openAI.apiKeySecretRef", embedding.open_ai.api_key_secret_ref
    if embedding is not None and embedding.cohere is not None:
        yield "spec.embedding.cohere.apiKeySecretRef", embedding.cohere.api_key_secret_ref


def _of_generation(generation: Generation) -> Iterator[tuple[str, SecretKeyRef | None]]:
    yield from _of_generator("spec.generation", generation)
    for position, fallback in enumerate(generation.fallbacks or ()):
        yield from _of_generator(f"spec.generation.fallbacks[{position}]", fallback)


def _of_generator(
    path: str, section: Generation | GenerationFallback
) -> Iterator[tuple[str, SecretKeyRef | None]]:
    if section.open_ai is not None:
        yield f"{path}.openAI.apiKeySecretRef", section.open_ai.api_key_secret_ref
    if section.anthropic is not None:
        yield f"{path}.anthropic.apiKeySecretRef", section.anthropic.api_key_secret_ref


def _callers(spec: RAGPipelineSpec) -> Iterator[Reference]:
    keys = None if spec.auth is None else spec.auth.api_keys
    if keys is not None and keys.secret_ref is not None:
        yield _whole("Secret", keys.secret_ref.name, "spec.auth.apiKeys.secretRef")


def _of_pods(runtime: Runtime) -> Iterator[Reference]:
    for position, secret in enumerate(runtime.image_pull_secrets or ()):
        yield _whole("Secret", secret.name, f"spec.runtime.imagePullSecrets[{position}]")
    claim = None if runtime.models is None else runtime.models.persistent_volume_claim
    if claim is not None:
        path = "spec.runtime.models.persistentVolumeClaim"
        yield _whole("PersistentVolumeClaim", claim.claim_name, path)
    account = None if runtime.service_account is None else runtime.service_account.name
    if account is not None:
        yield _whole("ServiceAccount", account, "spec.runtime.serviceAccount.name")
    for position, variable in enumerate(runtime.env or ()):
        if variable.secret_key_ref is not None:
            yield _entry(f"spec.runtime.env[{position}].secretKeyRef", variable.secret_key_ref, rolls=True)
    bundle = runtime.ca_bundle
    if bundle is not None:
        yield Reference("ConfigMap", bundle.config_map_name, frozenset({bundle.key}), "spec.runtime.caBundle")


def _certificate(spec: RAGPipelineSpec) -> Iterator[Reference]:
    ingress = None if spec.exposure is None else spec.exposure.ingress
    if ingress is not None and ingress.tls_secret_name is not None:
        path = "spec.exposure.ingress.tlsSecretName"
        # Often made only when the Ingress is there, by whoever issues certificates.
        yield Reference("Secret", ingress.tls_secret_name, frozenset(), path, is_needed=False, rolls=False)


def _of_service(path: str, ref: SecretKeyRef) -> Reference:
    return _entry(path, ref, rolls=path == _AUTHORITY)


def _entry(path: str, ref: SecretKeyRef, *, rolls: bool) -> Reference:
    return Reference("Secret", ref.name, frozenset({ref.key}), path, rolls=rolls)


def _whole(what: What, name: str, path: str) -> Reference:
    """All of an object: callers' keys, which are read again, or what isn't read by the service at all."""
    return Reference(what, name, frozenset(), path, rolls=False)
