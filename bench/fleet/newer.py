"""``ragfleet`` as a later version would be, whose pods are rendered with something more."""

from __future__ import annotations

import sys
from typing import Any, Final

from ragfleet_cli.main import main
from ragfleet_operator.render import pod

NEWER_ANNOTATION: Final = "ragfleet.test/newer"


def become_newer() -> None:
    """Have each module that renders pods give them one annotation more."""
    older = pod.pod_template

    def newer(*values: Any, **named: Any) -> dict[str, Any]:
        template = older(*values, **named)
        metadata = template["metadata"]
        annotations = {**(metadata.get("annotations") or {}), NEWER_ANNOTATION: "true"}
        return {**template, "metadata": {**metadata, "annotations": annotations}}

    for module in list(sys.modules.values()):
        if getattr(module, "pod_template", None) is older:
            setattr(module, "pod_template", newer)  # noqa: B010 - which modules these are isn't known here


if __name__ == "__main__":
    become_newer()
    sys.exit(main())
