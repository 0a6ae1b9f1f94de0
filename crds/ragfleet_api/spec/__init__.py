"""The specification of a RAGPipeline, version v1alpha1, a module for each of its sections.

A field is declared here only when something honours it. Optional fields have no schema default:
``ragfleet_api.config`` resolves them in memory, so that a stored object holds only what its author wrote.
"""

from ragfleet_api.spec.pipeline import RAGPipelineSpec

__all__ = ["RAGPipelineSpec"]
