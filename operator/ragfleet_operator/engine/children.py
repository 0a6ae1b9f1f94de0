"""Brings the children of a pipeline to what was rendered: applies, ensures, and prunes what is left over."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from ragfleet_operator.engine import faults
from ragfleet_operator.engine.cache import Cache
from ragfleet_operator.engine.child import Keeper, Kept, Whose
from ragfleet_operator.engine.errors import (
    ApiError,
    Conflict,
    NamespaceTerminating,
    Unavailable,
)
from ragfleet_operator.engine.prune import leftovers
from ragfleet_operator.engine.wanted import Wanted
from ragfleet_operator.engine.writes import Writes
from ragfleet_operator.kinds import (
    CONFIG_MAP,
    CONTROLLER_REVISION,
    DEPLOYMENT,
    HPA,
    OPTIONAL,
    PVC,
    SECRET,
    SERVICE_ACCOUNT,
    Kind,
)
from ragfleet_operator.model import ChildFault, Object, Ref, is_owned

# A pod of the new template can't start without these, or couldn't be made again of the revision; the old
# ones go on without them.
_POD_NEEDS: Final = frozenset({SERVICE_ACCOUNT, SECRET, CONFIG_MAP, PVC, CONTROLLER_REVISION})


@dataclass(slots=True)
class Outcome:
    """What came of a pipeline's children. waits: something will change by itself soon."""

    faults: list[ChildFault] = field(default_factory=list)
    waits: bool = False


class Children:
    """Brings children to what they should be; the order is that of kinds.CHILDREN, in three steps."""

    def __init__(self, writes: Writes, cache: Cache, keeper: Keeper) -> None:
        self._writes = writes
        self._cache = cache
        self._keeper = keeper

    async def bring(
        self,
        whose: Whose,
        desired: Sequence[Wanted],
        present: frozenset[Kind],
        *,
        keep: frozenset[Ref] = frozenset(),
        workload_stays: bool,
    ) -> Outcome:
        """Apply and ensure what is desired, then prune all else but what is to be kept.

        present: of the kinds that a cluster may lack, those that it has. workload_stays: see leftovers.
        Raises Unavailable, NamespaceTerminating, NotLeadingError.
        """
        desired = [child for child in desired if child.kind not in OPTIONAL or child.kind in present]
        live = self._cache.children(whose.key)
        outcome = Outcome()
        place = next((at for at, child in enumerate(desired) if child.kind == DEPLOYMENT), None)
        if place is None:
            await self._keep_all(whose, desired, live, outcome)
        else:
            before, deployment, after = desired[:place], desired[place], desired[place + 1 :]
            needs = [child for child in before if child.kind in _POD_NEEDS]
            there = await self._keep_all(whose, before, live, outcome)
            if all(child.ref in there for child in needs):
                await self._keep_deployment(whose, deployment, desired, live, outcome)
            await self._keep_all(whose, after, live, outcome)
        wanted = {child.ref for child in desired} | keep
        await self._prune(whose, wanted, workload_stays, outcome)
        return outcome

    async def _keep_all(
        self, whose: Whose, children: Sequence[Wanted], live: Mapping[Ref, Object], outcome: Outcome
    ) -> set[Ref]:
        """Keep children that don't wait for each other; those that are there then."""
        looks = [(child, self._keeper.look(whose, child, live.get(child.ref))) for child in children]
        kept = [look for _, look in looks if look is not None]
        to_write = [child for child, look in looks if look is None]
        if to_write:
            kept += await _together(
                self._keeper.keep(whose, child, live.get(child.ref)) for child in to_write
            )
        _take(outcome, kept)
        return {item.ref for item in kept if item.is_there}

    async def _keep_deployment(
        self,
        whose: Whose,
        child: Wanted,
        desired: Sequence[Wanted],
        live: Mapping[Ref, Object],
        outcome: Outcome,
    ) -> None:
        force = False
        scalers = [ref for ref, obj in live.items() if ref.kind == HPA and is_owned(obj, whose.uid)]
        may_stay = any(other.kind == HPA for other in desired)
        if scalers and not may_stay and "replicas" in child.manifest["spec"]:
            # Before the count is ours again, or the autoscaler would change it once more.
            if not await self._delete(whose, scalers, live, outcome):
                return
            force = True
        found = live.get(child.ref)
        kept = self._keeper.look(whose, child, found)
        if kept is None:
            # Others' fields are only taken without a word from the autoscaler that we have just deleted.
            kept = await self._keeper.keep(whose, child, found, force=force)
        _take(outcome, [kept])

    async def _prune(self, whose: Whose, wanted: set[Ref], workload_stays: bool, outcome: Outcome) -> None:
        live = self._cache.children(whose.key)
        surplus = leftovers(live, wanted, whose.uid, workload_stays=workload_stays)
        await self._delete(whose, surplus, live, outcome)

    async def _delete(
        self, whose: Whose, refs: Sequence[Ref], live: Mapping[Ref, Object], outcome: Outcome
    ) -> bool:
        """Delete the pipeline's own; whether all are on their way out."""
        done = True
        for ref in refs:
            try:
                await self._writes.delete(ref.kind, whose.key.namespace, live[ref])
            except (Unavailable, NamespaceTerminating):
                raise
            except Conflict:
                outcome.waits = True  # it has changed since we saw it: its event brings us back
                done = False
            except ApiError as error:
                outcome.faults.append(faults.refused(ref, error))
                done = False
        return done


def _take(outcome: Outcome, kept: Iterable[Kept]) -> None:
    for item in kept:
        outcome.waits |= item.waits
        if item.fault is not None:
            outcome.faults.append(item.fault)


async def _together(work: Iterable[Coroutine[Any, Any, Kept]]) -> list[Kept]:
    """Run all to their ends, then raise the first error."""
    results = await asyncio.gather(*work, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if not isinstance(result, BaseException)]
