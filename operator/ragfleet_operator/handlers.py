"""kopf's handlers: they hand each event on, and do nothing else."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import kopf

from ragfleet_operator.kinds import Kind
from ragfleet_operator.model import Object

See = Callable[[Kind, str | None, Object], None]


def registry_of(
    kind: Kind, see: See, login: Callable[[], Awaitable[kopf.AiohttpSession]]
) -> kopf.OperatorRegistry:
    """A registry that passes the events of a kind to ``see``."""
    registry = kopf.OperatorRegistry()

    @kopf.on.event(kind.group, kind.version, kind.plural, registry=registry)
    async def seen(event: Any, **_: Any) -> None:
        see(kind, event["type"], event["object"])

    @kopf.on.login(registry=registry)
    async def logged_in(**_: Any) -> kopf.AiohttpSession:
        return await login()

    return registry
