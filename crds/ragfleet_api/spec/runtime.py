"""How the service's pods run."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel, Rule
from ragfleet_api.list_map import MapBy
from ragfleet_api.spec.common import SecretKeyRef, union_rules
from ragfleet_api.spec.kubernetes import (
    MAX_QUALIFIED_NAME,
    QUALIFIED_NAME,
    Amounts,
    Annotations,
    ImageName,
    Labels,
    LabelValue,
    ObjectName,
    PodAnnotations,
    PullPolicy,
    Selection,
)

TaintKey = Annotated[str, Field(min_length=1, max_length=MAX_QUALIFIED_NAME, pattern=QUALIFIED_NAME)]
# What an upgrade of the operator does to the pods of a pipeline that nobody changed.
UpgradePolicy = Literal["Pinned", "WithOperator"]
EnvName = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")]
ConfigMapKey = Annotated[str, Field(min_length=1, max_length=253, pattern=r"^[A-Za-z0-9_-][A-Za-z0-9._-]*$")]


class PullSecret(ApiModel):
    """A Secret that lets the node pull images."""

    name: ObjectName = Field(description="Name of the Secret, of type kubernetes.io/dockerconfigjson.")


class Resources(ApiModel):
    """What each pod asks for and may use, as in a container of Kubernetes."""

    requests: Amounts | None = Field(
        default=None,
        description="What is set aside, in place of the default as a whole. Default: cpu 250m, memory 512Mi.",
    )
    limits: Amounts | None = Field(
        default=None,
        description="What it may use at most, in place of the default as a whole. Default: memory 1Gi.",
    )


class ModelsClaim(ApiModel):
    """A PersistentVolumeClaim in the pipeline's namespace."""

    claim_name: ObjectName = Field(description="Name of the claim; it is mounted read-only.")


class ModelsImage(ApiModel):
    """An OCI image whose files are mounted (Kubernetes 1.35 or newer; image volumes)."""

    reference: ImageName = Field(description="The image, by tag or digest.")
    pull_policy: PullPolicy | None = Field(
        default=None, description="When it is pulled. Default: Kubernetes' own."
    )


class Models(ApiModel):
    """Files of embedding models, mounted at /models."""

    type: Literal["PersistentVolumeClaim", "Image"] = Field(description="Where the files come from.")
    persistent_volume_claim: ModelsClaim | None = Field(default=None, description="The claim.")
    image: ModelsImage | None = Field(default=None, description="The image.")

    rules: ClassVar[tuple[Rule, ...]] = union_rules(
        {"PersistentVolumeClaim": "persistentVolumeClaim", "Image": "image"}
    )


class EnvVar(ApiModel):
    """A variable of the service's environment, such as HTTPS_PROXY."""

    name: EnvName = Field(description="Its name; RAGFLEET_ names are the service's own.")
    value: Annotated[str, Field(max_length=4096)] | None = Field(default=None, description="Its value.")
    secret_key_ref: SecretKeyRef | None = Field(default=None, description="The Secret entry that holds it.")

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.value) != has(self.secretKeyRef)",
            message="give value or secretKeyRef, one of them",
            field="",
            holds=lambda self: (self.value is None) != (self.secret_key_ref is None),
        ),
        Rule(
            cel="!self.name.startsWith('RAGFLEET_')",
            message="names that start with RAGFLEET_ are the service's own",
            field="name",
            holds=lambda self: not self.name.startswith("RAGFLEET_"),
        ),
    )


class CABundle(ApiModel):
    """Certificates that the service trusts for its outgoing connections, instead of the image's own."""

    config_map_name: ObjectName = Field(description="Name of the ConfigMap.")
    key: ConfigMapKey = Field(description="Its entry, in PEM.")


class Toleration(ApiModel):
    """A taint that pods may run in spite of, as in Kubernetes."""

    key: TaintKey | None = Field(default=None, description="The taint's key. Default: all, with Exists.")
    operator: Literal["Exists", "Equal"] | None = Field(
        default=None, description="Whether the value counts: Equal, or Exists for any. Default: Equal."
    )
    value: LabelValue | None = Field(default=None, description="The taint's value. Default: empty.")
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = Field(
        default=None, description="The taint's effect. Default: all."
    )
    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = Field(
        default=None, description="How long, with NoExecute. Default: for ever."
    )

    # As Kubernetes has them.
    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="has(self.key) || has(self.operator) && self.operator == 'Exists'",
            message="a toleration without a key is of every taint, which needs operator Exists",
            field="operator",
            holds=lambda self: self.key is not None or self.operator == "Exists",
        ),
        Rule(
            cel="!has(self.value) || !has(self.operator) || self.operator != 'Exists'",
            message="value has no effect with operator Exists: take it away, or set operator to Equal",
            field="value",
            holds=lambda self: self.value is None or self.operator != "Exists",
        ),
        Rule(
            cel="!has(self.tolerationSeconds) || has(self.effect) && self.effect == 'NoExecute'",
            message="tolerationSeconds needs effect NoExecute",
            field="tolerationSeconds",
            holds=lambda self: self.toleration_seconds is None or self.effect == "NoExecute",
        ),
    )


class ServiceAccount(ApiModel):
    """Who the pods are. They get no token for Kubernetes' API."""

    name: ObjectName | None = Field(
        default=None, description="One that is there already. Default: one is made, with the pipeline's name."
    )
    annotations: Annotations | None = Field(
        default=None, description="Its annotations, for a cloud's workload identity."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel="!has(self.name) || !has(self.annotations)",
            message="annotations are for the account that is made: annotate the one you name yourself",
            field="annotations",
            holds=lambda self: self.name is None or self.annotations is None,
        ),
    )


class Runtime(ApiModel):
    """How the service's pods run. Nothing here gives them a privilege or the node's files."""

    image: ImageName | None = Field(
        default=None, description="The service's image. Default: the operator's own."
    )
    upgrade_policy: UpgradePolicy | None = Field(
        default=None,
        description=(
            "What an upgrade of the operator does to the pods, and to the image where none is named: Pinned "
            "(default) nothing, they stay as they are until the pipeline changes; WithOperator renews them."
        ),
    )
    image_pull_policy: PullPolicy | None = Field(
        default=None, description="When the node pulls it. Default: IfNotPresent."
    )
    image_pull_secrets: Annotated[list[PullSecret], Field(max_length=16), MapBy("name")] | None = Field(
        default=None, description="Secrets that let the node pull it."
    )
    resources: Resources | None = Field(default=None, description="What each pod asks for and may use.")
    models: Models | None = Field(default=None, description="Files of embedding models, mounted at /models.")
    service_account: ServiceAccount | None = Field(default=None, description="Who the pods are.")
    labels: Labels | None = Field(default=None, description="More labels of the pods.")
    annotations: PodAnnotations | None = Field(default=None, description="More annotations of the pods.")
    node_selector: Selection | None = Field(default=None, description="Labels that a node must have.")
    tolerations: Annotated[list[Toleration], Field(max_length=32)] | None = Field(
        default=None, description="Taints that pods may run in spite of."
    )
    priority_class_name: ObjectName | None = Field(default=None, description="The pods' priority class.")
    env: Annotated[list[EnvVar], Field(max_length=64), MapBy("name")] | None = Field(
        default=None, description="More variables of the service's environment."
    )
    ca_bundle: CABundle | None = Field(
        default=None, description="Certificates that the service trusts. Default: the image's own."
    )

    rules: ClassVar[tuple[Rule, ...]] = (
        Rule(
            cel=("!has(self.caBundle) || !has(self.env) || !self.env.exists(v, v.name == 'SSL_CERT_FILE')"),
            message="SSL_CERT_FILE is what caBundle sets: take one of the two away",
            field="env",
            holds=lambda self: (
                self.ca_bundle is None or all(v.name != "SSL_CERT_FILE" for v in self.env or ())
            ),
        ),
    )
