"""What a pass applies, and what it leaves as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ragfleet_operator.engine.references import Resolved
from ragfleet_operator.engine.wanted import Wanted
from ragfleet_operator.model import Observation
from ragfleet_operator.render import without_workload
from ragfleet_operator.revisions import Plan, running, state_of


@dataclass(frozen=True, slots=True)
class Decision:
    """What to apply, and what is seen with it.

    stays: whether the workload is left as it is. is_soon: whether another pass has to follow at once.
    """

    desired: tuple[Wanted, ...]
    seen: Observation
    stays: bool
    is_soon: bool


def decide(
    planned: Plan,
    seen: Observation,
    resolved: Resolved,
    desired: Sequence[Wanted],
    held: str | None,
    *,
    is_deployed: bool,
) -> Decision:
    """What to do with what was rendered. held: see Observation. is_deployed: there is a Deployment."""
    # A verdict is told before it is carried out: forgotten, what it is on would be tried again.
    is_verdict = planned.state.rejected not in (None, state_of(planned.pipeline.status).rejected)
    # Without the key the first pods would be replaced a moment after they were made.
    awaits_key = resolved.awaits_key and not is_deployed
    stays = bool(resolved.missing) or held is not None or planned.stays or is_verdict or awaits_key
    state = planned.state
    if stays and not is_verdict:
        state = replace(state, current=running(planned.pipeline, seen))
    return Decision(
        desired=without_workload(desired, seen) if stays else tuple(desired),
        seen=replace(
            seen,
            missing=resolved.missing,
            held_fingerprint=held,
            revisions=state,
            refusal=planned.refusal,
        ),
        stays=stays,
        is_soon=is_verdict or awaits_key,
    )
