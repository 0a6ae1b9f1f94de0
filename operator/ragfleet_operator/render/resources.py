"""What each pod asks for and may use."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from ragfleet_api.spec.runtime import Resources
from ragfleet_operator.render.parts import some
from ragfleet_operator.render.quantity import larger, smaller

_REQUESTS: Final[Mapping[str, str]] = {"cpu": "250m", "memory": "512Mi"}
_MEMORY_LIMIT: Final = "1Gi"


def resources(section: Resources | None) -> dict[str, Any]:
    """The resources of the service's container.

    What is given is taken as it is. A default gives way to what is given on the other side: a request can't
    be more than its limit.
    """
    given = section or Resources()
    requests, limits = given.requests, given.limits
    if requests is None:
        requests = {
            name: smaller(value, (limits or {}).get(name, value)) for name, value in _REQUESTS.items()
        }
    if limits is None:
        limits = {"memory": larger(_MEMORY_LIMIT, requests.get("memory", _MEMORY_LIMIT))}
    return some(requests=dict(requests), limits=dict(limits))
