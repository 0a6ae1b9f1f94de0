"""How far a Deployment's rollout is."""

from __future__ import annotations

from ragfleet_operator.model import Object


def is_rolled_out(deployment: Object) -> bool:
    """Whether every pod is of the template that the Deployment has now, and available."""
    wanted = deployment.get("spec", {}).get("replicas", 1)
    status = deployment.get("status") or {}
    counts = [status.get(name, 0) for name in ("replicas", "updatedReplicas", "availableReplicas")]
    seen = status.get("observedGeneration") == deployment["metadata"].get("generation")
    return bool(seen and all(count == wanted for count in counts))


def template_annotations(deployment: Object) -> dict[str, str]:
    """The annotations of its pods."""
    template = deployment.get("spec", {}).get("template", {})
    return (template.get("metadata") or {}).get("annotations") or {}
