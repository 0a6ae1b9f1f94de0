"""The volume of the embedded engine."""

from __future__ import annotations

from typing import Final

from ragfleet_api.spec.vector_store import Embedded, Storage
from ragfleet_operator import names
from ragfleet_operator.kinds import PVC
from ragfleet_operator.model import Child, Pipeline
from ragfleet_operator.render.parts import child, some

_DEFAULT_SIZE: Final = "10Gi"


def claim(pipeline: Pipeline) -> Child | None:
    """The claim of the embedded engine's data; None with a server. One to be retained is owned by nobody."""
    store = pipeline.spec.vector_store
    if store.type != "Embedded":
        return None
    storage = (store.embedded or Embedded()).storage or Storage()
    spec = {
        # Not ReadWriteOncePod, which many provisioners lack: the strategy Recreate and the engine's own lock
        # see to it that one process has the data.
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": storage.size or _DEFAULT_SIZE}},
        **some(storageClassName=storage.storage_class_name),
    }
    name = names.data_claim(pipeline.key.name)
    return child(PVC, pipeline, {"spec": spec}, name=name, owned=store.deletion_policy == "Delete")
