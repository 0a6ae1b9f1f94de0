"""The names by which Kubernetes knows the resource."""

from __future__ import annotations

from typing import Final

GROUP: Final = "ragfleet.dev"
VERSION: Final = "v1alpha1"
API_VERSION: Final = "ragfleet.dev/v1alpha1"
KIND: Final = "RAGPipeline"
PLURAL: Final = "ragpipelines"
SINGULAR: Final = "ragpipeline"
SHORT_NAME: Final = "ragp"
