"""What is in the cluster before a test: a node, and volumes for claims of the default class."""

from __future__ import annotations

from typing import Any

from support.control_plane_flags import NODE

VOLUMES = 100


def node() -> tuple[str, dict[str, Any]]:
    """The one node, which KWOK plays; with the path that it is created at."""
    room = {"cpu": "1000", "memory": "4Ti", "ephemeral-storage": "4Ti", "pods": "5000"}
    labels = {
        "kubernetes.io/hostname": NODE,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "topology.kubernetes.io/zone": "zone-1",
    }
    return "/api/v1/nodes", {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": NODE, "labels": labels},
        "status": {"capacity": room, "allocatable": room},
    }


def storage() -> list[tuple[str, dict[str, Any]]]:
    """A default StorageClass without provisioner, and the volumes that it gives; with their paths.

    A claim is bound when its first pod is scheduled, as with most drivers. A volume serves one claim, ever.
    """
    default = {"storageclass.kubernetes.io/is-default-class": "true"}
    storage_class = {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {"name": "standard", "annotations": default},
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }
    volumes = (
        {
            "apiVersion": "v1",
            "kind": "PersistentVolume",
            "metadata": {"name": f"volume-{number:03}"},
            "spec": {
                "capacity": {"storage": "1Ti"},
                "accessModes": ["ReadWriteOnce"],
                "persistentVolumeReclaimPolicy": "Retain",
                "storageClassName": "standard",
                "hostPath": {"path": "/nowhere"},  # KWOK mounts nothing
            },
        }
        for number in range(VOLUMES)
    )
    return [
        ("/apis/storage.k8s.io/v1/storageclasses", storage_class),
        *(("/api/v1/persistentvolumes", volume) for volume in volumes),
    ]
