"""How a change of the pipeline reaches its pods."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import Field

from ragfleet_api.base import ApiModel

RollbackPolicy = Literal["Automatic", "Never"]

DEFAULT_DEADLINE_SECONDS: Final = 600
DEFAULT_HISTORY_LIMIT: Final = 10


class Upgrade(ApiModel):
    """What becomes of a change that its pods don't get ready with. No part of it restarts a pod."""

    deadline_seconds: Annotated[int, Field(ge=30, le=86_400)] | None = Field(
        default=None,
        description=(
            "How long a rollout may make no progress, in seconds, until it counts as failed. "
            f"Default: {DEFAULT_DEADLINE_SECONDS}."
        ),
    )
    rollback: RollbackPolicy | None = Field(
        default=None,
        description=(
            "What happens after a change that failed by its own fault: Automatic (default) goes back to the "
            "last revision that ran with all its copies, Never leaves the change as it is."
        ),
    )
    history_limit: Annotated[int, Field(ge=1, le=50)] | None = Field(
        default=None,
        description=(
            "How many revisions are kept to go back to, beside the one that runs. "
            f"Default: {DEFAULT_HISTORY_LIMIT}."
        ),
    )
