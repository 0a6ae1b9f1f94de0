"""What rendering and assessing are functions of, and what they give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from ragfleet_api.spec.pipeline import RAGPipelineSpec
from ragfleet_operator.kinds import Kind

# An object as the API server has it.
Object = Mapping[str, Any]


class Key(NamedTuple):
    """A pipeline's place."""

    namespace: str
    name: str


class Ref(NamedTuple):
    """An object of a pipeline, within its namespace."""

    kind: Kind
    name: str


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A RAGPipeline whose spec is valid. status: as it is stored, {} before the first."""

    key: Key
    uid: str
    generation: int
    spec: RAGPipelineSpec
    status: Object = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the operator was started with, as far as children depend on it.

    image: the service's, where a pipeline names none. cluster: the name of the cluster in a collection's
    owner. namespace: where the operator runs, "" outside a cluster.
    """

    image: str
    cluster: str = "default"
    namespace: str = ""


class Way(Enum):
    """How a child is kept: by server-side apply, or created once and never compared."""

    APPLIED = "applied"
    ENSURED = "ensured"


@dataclass(frozen=True, slots=True)
class Child:
    """An object that should be there. owned: it is deleted with the pipeline, and when it isn't wanted."""

    kind: Kind
    manifest: Object
    way: Way = Way.APPLIED
    owned: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        name: str = self.manifest["metadata"]["name"]
        return name

    @property
    def ref(self) -> Ref:
        """Its place."""
        return Ref(self.kind, self.name)


class Fault(Enum):
    """Why a child isn't as it should be."""

    FOREIGN = "OwnedByAnother"  # there is an object of that name that isn't the pipeline's
    CONFLICT = "FieldConflict"  # another field manager holds one of our fields
    FORBIDDEN = "Forbidden"
    IMMUTABLE = "ImmutableField"
    UNSERVED = "KindNotServed"  # the cluster has no such kind
    INVALID = "Invalid"  # the API server refuses it
    DELETING = "StuckInDeletion"
    QUOTA = "QuotaExceeded"
    UNAVAILABLE = "APIUnavailable"


@dataclass(frozen=True, slots=True)
class ChildFault:
    """What is wrong with a child; message: one line for people, that says what to do."""

    ref: Ref
    fault: Fault
    message: str


@dataclass(frozen=True, slots=True)
class Missing:
    """A Secret or ConfigMap that the spec refers to and that isn't as it must be.

    what: "Secret" or "ConfigMap"; key: the entry, "" for all of it; used_by: the path in the spec.
    """

    what: str
    name: str
    key: str
    used_by: str


@dataclass(frozen=True, slots=True)
class PodTrouble:
    """Why a pod isn't ready. reason: Kubernetes' word (CrashLoopBackOff, ImagePullBackOff, Unschedulable).

    revision: the pod's, "" where it has none.
    """

    pod: str
    reason: str
    message: str
    restarts: int = 0
    revision: str = ""


@dataclass(frozen=True, slots=True)
class Revision:
    """What pods are made of, as it was rendered once, and is kept.

    id: of the template, ten hex digits. number: 1 for a pipeline's first. input: hash of what the template
    was rendered from. spec: the pipeline's, as JSON. template: of the pods, without the labels and
    annotations that are added when it is applied. config: the service's configuration, in the form of
    config_version.
    names_image: whether the spec named the image.
    """

    id: str
    number: int
    input: str
    spec: Object
    template: Object
    config: str
    config_version: int
    image: str
    names_image: bool


@dataclass(frozen=True, slots=True)
class Rejected:
    """A revision that was rolled back. generation: of the spec that asked for it; pin: see revisions.pin."""

    revision: str
    generation: int
    reason: str
    message: str
    pin: str = ""


@dataclass(frozen=True, slots=True)
class Revisions:
    """Which revisions count, as ``status.revisions`` tells; "" where there is none.

    current: what the Deployment is told to run. last_good: the last that ran with all its replicas. pinned:
    what people pinned, where that holds. unknown_pin: what they pinned that isn't there.
    """

    current: str = ""
    last_good: str = ""
    rejected: Rejected | None = None
    pinned: str = ""
    unknown_pin: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a service tells on its admin port. error: why it couldn't be asked, else None.

    store_reachable: whether the vector store answered it; None where it doesn't know.
    """

    error: str | None = None
    store_reachable: bool | None = None
    store_message: str = ""
    collection: str = ""
    documents: int | None = None
    chunks: int | None = None
    stale_documents: int | None = None


@dataclass(frozen=True, slots=True)
class Observation:
    """What is there for a pipeline at one moment.

    children: the objects in its namespace that carry its label, its own and others'. kinds: those that the
    cluster has. missing: None before Secrets were looked for. fingerprint: that of the index in use, None
    where there is none. held: the new one, where a change is held back. report: None before the first poll.
    ready_pods: how many are ready of each revision; None where pods weren't looked at. revisions: None while
    nothing is decided of them. refusal: why no revision can be made of the spec.
    """

    children: Mapping[Ref, Object] = field(default_factory=dict)
    faults: Sequence[ChildFault] = ()
    missing: Sequence[Missing] | None = None
    troubles: Sequence[PodTrouble] = ()
    ready_pods: Mapping[str, int] | None = None
    revisions: Revisions | None = None
    refusal: str = ""
    held_fingerprint: str | None = None
    report: Report | None = None
    kinds: frozenset[Kind] = frozenset()


def is_owned(obj: Object, uid: str) -> bool:
    """Whether the pipeline with that uid is among an object's owners."""
    return any(owner.get("uid") == uid for owner in obj["metadata"].get("ownerReferences") or ())


def own(children: Mapping[Ref, Object], ref: Ref, uid: str) -> Object | None:
    """The child in that place, None where there is none or it is somebody else's."""
    found = children.get(ref)
    return found if found is not None and is_owned(found, uid) else None
