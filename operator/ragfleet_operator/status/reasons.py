"""Every reason of a condition: its word, what it means, what to do. ``docs/status.md`` shows the same."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ragfleet_operator.model import Fault


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a condition is as it is.

    word: CamelCase, stable, for programs. calm: part of the normal course, no Warning. needs_person: it
    doesn't go away by waiting, so Ready for this reason means Stalled.
    """

    word: str
    meaning: str
    advice: str
    calm: bool = False
    needs_person: bool = False


def _calm(word: str, meaning: str, advice: str = "nothing") -> Reason:
    return Reason(word, meaning, advice, calm=True)


def _stalled(word: str, meaning: str, advice: str) -> Reason:
    return Reason(word, meaning, advice, needs_person=True)


# The normal course
READY: Final = _calm("Ready", "the service is as the specification says")
PINNED: Final = _calm(
    "Pinned",
    "the service runs the revision that the annotation `ragfleet.dev/pin-revision` names",
    "take the annotation away to go on: `ragfleet rollback NAME --clear`",
)
AVAILABLE: Final = _calm("Available", "at least one replica serves")
SCALED_TO_ZERO: Final = _calm(
    "ScaledToZero", "no replica runs, as `spec.replicas: 0` says", "raise `spec.replicas` to serve"
)
PROGRESSING: Final = _calm("Progressing", "the change is under way and no replica serves yet", "wait")
ROLLOUT_IN_PROGRESS: Final = _calm(
    "RolloutInProgress", "the change is under way while replicas serve", "wait"
)
NOT_DEPLOYED: Final = _calm("NotDeployed", "there is no Deployment", "see Ready")
APPLIED: Final = _calm("Applied", "every object of the pipeline is as it should be")
WORKLOAD_WAITS: Final = _calm(
    "WorkloadWaits", "all but the ConfigMap and the Deployment are applied; these wait", "see Ready"
)
RESOLVED: Final = _calm("Resolved", "all that the specification names was found")
NOT_CHECKED: Final = _calm("NotChecked", "it hasn't been looked for yet", "wait")
SUSPENDED: Final = _calm(
    "Suspended", "`spec.suspend` is true: nothing is changed", "take `spec.suspend` away to go on"
)
REACHABLE: Final = _calm("Reachable", "the vector store answers the service")
SERVING: Final = _calm("Serving", "the index answers; `status.index` has its counts")
NOT_POLLED: Final = _calm("NotPolled", "the service hasn't been asked yet", "wait")
NO_ANSWER: Final = _calm(
    "NoAnswer",
    "the service's admin port gave no answer",
    "wait; see whether pods run and the operator may call",
)
NOT_REPORTED: Final = _calm("NotReported", "the service answered, and doesn't know it yet", "wait")

# The specification
INVALID_SPEC: Final = _stalled(
    "InvalidSpec", "the stored object isn't valid for this version", "edit it as the message says"
)
REINDEX_REQUIRED: Final = _stalled(
    "ReindexRequired",
    "the change needs an index built anew; it is held back and the version before keeps serving",
    "change it back, or create a pipeline with another name and ingest again",
)
ROLLED_BACK: Final = _stalled(
    "RolledBack",
    "what the specification asks for failed; the last good revision serves",
    "correct the specification; to try the same again, `ragfleet rollback NAME --to-revision ID`",
)
REVISION_NOT_FOUND: Final = _stalled(
    "RevisionNotFound",
    "the annotation `ragfleet.dev/pin-revision` names a revision that isn't kept; nothing is changed",
    "name another, which `ragfleet rollback NAME --list` shows, or take the annotation away",
)
IMAGE_OUTDATED: Final = _stalled(
    "ImageOutdated",
    "the pinned image is too old for this operator to write a changed configuration for it",
    "name a newer `spec.runtime.image`, or set `spec.runtime.upgradePolicy` to WithOperator",
)
SECRET_MISSING: Final = Reason(
    "SecretMissing", "a Secret that the specification names isn't there", "create it"
)
SECRET_KEY_MISSING: Final = Reason(
    "SecretKeyMissing", "a Secret has no such entry", "add the entry, or name another key"
)
CONFIG_MAP_MISSING: Final = Reason(
    "ConfigMapMissing", "a ConfigMap that the specification names isn't there", "create it"
)
CONFIG_MAP_KEY_MISSING: Final = Reason(
    "ConfigMapKeyMissing", "a ConfigMap has no such entry", "add the entry, or name another key"
)
CLAIM_MISSING: Final = Reason(
    "ClaimMissing", "a PersistentVolumeClaim that the specification names isn't there", "create it"
)
SERVICE_ACCOUNT_MISSING: Final = Reason(
    "ServiceAccountMissing", "the ServiceAccount that the specification names isn't there", "create it"
)
REFERENCE_MISSING: Final = Reason(
    "ReferenceMissing", "another object that the specification names isn't there", "create it"
)

# Objects
OWNED_BY_ANOTHER: Final = _stalled(
    Fault.FOREIGN.value,
    "an object of that name isn't the pipeline's, and is left alone",
    "delete or rename that object, or give the pipeline another name",
)
FIELD_CONFLICT: Final = _stalled(
    Fault.CONFLICT.value,
    "another field manager keeps changing what the operator sets",
    "stop one of the two; set the field in the pipeline instead",
)
FORBIDDEN: Final = _stalled(
    Fault.FORBIDDEN.value, "the operator isn't allowed to do it", "give its service account the permission"
)
IMMUTABLE_FIELD: Final = _stalled(
    Fault.IMMUTABLE.value,
    "the change is to a field that can't change in the object",
    "change it back, or delete the object so that it is made anew",
)
KIND_NOT_SERVED: Final = _stalled(
    Fault.UNSERVED.value,
    "the spec asks for an object of a kind that the cluster doesn't have",
    "install what the message names, or ask for another kind",
)
INVALID: Final = _stalled(
    Fault.INVALID.value, "the API server refuses the object", "change the field that the message names"
)
STUCK_IN_DELETION: Final = _stalled(
    Fault.DELETING.value,
    "an object is being deleted and doesn't go",
    "see to its finalizers; it is made again once it is gone",
)
QUOTA_EXCEEDED: Final = _stalled(
    Fault.QUOTA.value,
    "the namespace's quota leaves no room",
    "raise the quota, or lower replicas or `spec.runtime.resources`",
)
API_UNAVAILABLE: Final = Reason(
    Fault.UNAVAILABLE.value,
    "the API server couldn't be asked; it is tried again",
    "wait; see to the API server",
)
VOLUME_LOST: Final = _stalled(
    "VolumeLost",
    "the volume of the embedded engine's claim is gone",
    "restore the volume, or delete the claim and ingest again",
)

# Pods
IMAGE_PULL_BACK_OFF: Final = _stalled(
    "ImagePullBackOff",
    "a node can't pull an image",
    "correct `spec.runtime.image` or `spec.runtime.imagePullSecrets`",
)
CRASH_LOOP_BACK_OFF: Final = _stalled(
    "CrashLoopBackOff", "a pod starts and fails again and again", "read its log and correct what it names"
)
CONTAINER_CONFIG_ERROR: Final = _stalled(
    "CreateContainerConfigError",
    "a node can't make the container",
    "see the pod's events; often a Secret's entry or the image's user",
)
PODS_REFUSED: Final = _stalled(
    "PodsRefused",
    "the API server refuses the pods",
    "change what the message names, as a policy of the namespace",
)
DEADLINE_EXCEEDED: Final = _stalled(
    "DeadlineExceeded",
    "the rollout made no progress within the Deployment's deadline",
    "see the pods' log and events",
)
UNSCHEDULABLE: Final = Reason(
    "Unschedulable",
    "no node has room for a pod or may take it",
    "add nodes, or lower `spec.runtime.resources`, `nodeSelector` or replicas",
)

# What the service tells
VECTOR_STORE_UNREACHABLE: Final = Reason(
    "VectorStoreUnreachable",
    "the service can't reach its vector store",
    "see to the store, `spec.vectorStore.qdrant` and the network policy",
)
COLLECTION_OWNED_BY_ANOTHER: Final = _stalled(
    "CollectionOwnedByAnother",
    "the collection belongs to another pipeline, and isn't used",
    "choose another `spec.vectorStore.collection`, or set `spec.vectorStore.adopt`",
)
FINGERPRINT_MISMATCH: Final = _stalled(
    "FingerprintMismatch",
    "the index was built with other settings or another model, and isn't used",
    "change the specification back, or ingest again into another collection",
)
