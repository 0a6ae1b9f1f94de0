"""What a Deployment says of its pods."""

from __future__ import annotations

from ragfleet_operator.model import Object


def template_annotations(deployment: Object) -> dict[str, str]:
    """The annotations of its pods."""
    template = deployment.get("spec", {}).get("template", {})
    return (template.get("metadata") or {}).get("annotations") or {}
