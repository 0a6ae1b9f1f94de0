"""What kopf needs to watch a kind."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from ragfleet_operator.kinds import Kind


def registry_of(kind: Kind, login: Callable[[], Awaitable[kopf.AiohttpSession]]) -> kopf.OperatorRegistry:
    """A registry that has kopf watch a kind."""
    registry = kopf.OperatorRegistry()

    # kopf watches only what there is a handler for. It isn't called: objects are taken before kopf sees them.
    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)
    async def seen(**_: Any) -> None:
        raise AssertionError(f"kopf was shown {kind.plural}")

    @kopf.on.login(registry=registry)
    async def logged_in(**_: Any) -> kopf.AiohttpSession:
        return await login()

    return registry
