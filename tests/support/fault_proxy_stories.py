"""What happens to pipelines whose operator is killed on the way, and how they are at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from ragfleet_operator.kinds import DEPLOYMENT, NETWORK_POLICY, SECRET, SERVICE, Kind
from support.cluster_pipelines import pipeline
from support.fault_proxy import FaultProxy
from support.fault_proxy_kills import Chain, KillPoint, kill_points
from support.fault_proxy_people import People
from support.fault_proxy_state import differences, end_state, objects_of
from support.fault_proxy_verdict import is_told_ready

_V1: Final = {"runtime": {"image": "registry.example/ragfleet:v1"}}
_SCALED: Final = {**_V1, "replicas": None, "autoscaling": {"minReplicas": 2, "maxReplicas": 4}}
_EXPOSED: Final = {"exposure": {"type": "Ingress", "ingress": {"host": "handbook.example"}}}
_STORED: Final = {"type": "Embedded", "embedded": {"storage": {"size": "1Gi"}}}
_HASTY: Final = {"upgrade": {"deadlineSeconds": 30}}
_PREPARED_SECONDS: Final = 120.0


def _is_rolled_back(item: Mapping[str, Any]) -> bool:
    status = item.get("status") or {}
    ready = [one for one in status.get("conditions") or () if one["type"] == "Ready"]
    return any(
        one["reason"] == "RolledBack" and one["observedGeneration"] == item["metadata"]["generation"]
        for one in ready
    )


@dataclass(frozen=True, eq=False)
class Story:
    """What happens to a pipeline. before: the specs that it has had, with the last of which it is ready.

    spec: what is applied then. harm: children that are deleted with it. resources: whose writes are kill
    points, all where there are none: those that another story has needn't be here too. ends: whether a
    pipeline says that the story is over.
    """

    name: str
    spec: Mapping[str, Any]
    before: Sequence[Mapping[str, Any]] = ()
    harm: Sequence[tuple[Kind, str]] = ()
    resources: frozenset[str] = field(default_factory=frozenset)
    ends: Callable[[Mapping[str, Any]], bool] = is_told_ready

    @property
    def whole(self) -> str:
        """The name of the pipeline whose operator isn't killed."""
        return f"{self.name}-whole"

    def act(self, they: People, place: str, names: Iterable[str]) -> None:
        """Let it happen to some pipelines."""
        for name in names:
            they.apply(place, pipeline(name, **self.spec))
            for kind, suffix in self.harm:
                they.delete(kind, place, name + suffix)


STORIES: Final = (
    Story("creation", {**_SCALED, **_EXPOSED}),
    Story(
        "data",
        {**_V1, "vectorStore": _STORED, "replicas": None},
        resources=frozenset({"persistentvolumeclaims"}),
    ),
    Story("edit", {**_V1, "retrieval": {"mode": "Sparse", "topK": 9}}, [_V1]),
    Story(
        "repair",
        _V1,
        [_V1],
        [(DEPLOYMENT, ""), (SERVICE, ""), (SECRET, "-admin"), (NETWORK_POLICY, "")],
        frozenset({"deployments", "secrets"}),
    ),
    Story("on", _SCALED, [_V1], resources=frozenset({"deployments", "horizontalpodautoscalers"})),
    Story("off", _V1, [_V1, _SCALED], resources=frozenset({"deployments", "horizontalpodautoscalers"})),
    Story("on-again", _SCALED, [_V1, _SCALED, _V1], resources=frozenset({"deployments"})),
)

# Takes the least deadline that a spec can set, twice.
ROLLBACK: Final = Story(
    "rollback",
    {"runtime": {"image": "registry.example/ragfleet:crash"}, **_HASTY},
    [{**_V1, **_HASTY}],
    ends=_is_rolled_back,
)

Points = Mapping[Story, Mapping[str, KillPoint]]


def end_unkilled(
    they: People, place: str, proxy: FaultProxy, stories: Sequence[Story], *, each: bool
) -> tuple[dict[Story, dict[str, Any]], Points]:
    """Let every story happen while an operator runs: how each ends, and its kill points by names to use."""
    prepare(they, place, {story: [story.whole] for story in stories})
    start = len(proxy.log)
    for story in stories:
        story.act(they, place, [story.whole])
    ends = _settled(they, place, stories)
    log = list(proxy.log)[start:]
    return ends, {story: dict(_points(story, kill_points(log, story.whole, each=each))) for story in stories}


def prepare(they: People, place: str, names: Mapping[Story, Iterable[str]]) -> None:
    """Bring pipelines to where their stories begin; an operator runs."""
    for step in range(max(len(story.before) for story in names)):
        due = [
            (name, story.before[step])
            for story, found in names.items()
            for name in found
            if step < len(story.before)
        ]
        they.apply(place, *(pipeline(name, **spec) for name, spec in due))
        _wait(partial(_are_ready, they, place, {name for name, _ in due}), "pipelines to be prepared")


def kill_at(they: People, place: str, chain: Chain, points: Points, *, patience: float) -> list[str]:
    """Let the stories happen with the operator killed at each point; those that weren't come to."""
    for story, named in points.items():
        for name, point in named.items():
            chain.set(place, name, point)
        story.act(they, place, named)
    chain.run(patience)
    return chain.ahead


def wrong_ends(
    they: People, place: str, points: Points, ends: Mapping[Story, Mapping[str, Any]], seconds: float
) -> list[str]:
    """Where pipelines end otherwise than the one of their story whose operator wasn't killed."""
    deadline = time.monotonic() + seconds
    while True:
        objects = objects_of(they.client, place)
        told = [
            f"{name}, killed {point}: {difference}"
            for story, named in points.items()
            for name, point in named.items()
            for difference in differences(end_state(objects, name), ends[story])
        ]
        if not told or time.monotonic() > deadline:
            return told
        time.sleep(1)


def _points(story: Story, found: Sequence[KillPoint]) -> Iterator[tuple[str, KillPoint]]:
    wanted = [point for point in found if not story.resources or point.write.resource in story.resources]
    return ((f"{story.name}-{number:02}", point) for number, point in enumerate(wanted))


def _are_ready(they: People, place: str, names: set[str]) -> bool:
    found = they.pipelines(place)
    return names <= {item["metadata"]["name"] for item in found if is_told_ready(item)}


def _settled(they: People, place: str, stories: Sequence[Story]) -> dict[Story, dict[str, Any]]:
    """How the pipelines are whose operator isn't killed, once nothing changes any more."""
    _wait(partial(_have_ended, they, place, stories), "the stories to end")
    found: dict[Story, dict[str, Any]] = {}
    for _ in range(20):
        before, objects = found, objects_of(they.client, place)
        found = {story: end_state(objects, story.whole) for story in stories}
        if found == before:
            return found
        time.sleep(3)
    raise AssertionError("the pipelines don't settle")


def _have_ended(they: People, place: str, stories: Sequence[Story]) -> bool:
    found = {item["metadata"]["name"]: item for item in they.pipelines(place)}
    return all(story.ends(found[story.whole]) for story in stories)


def _wait(check: partial[bool], what: str) -> None:
    deadline = time.monotonic() + _PREPARED_SECONDS
    while not check():
        assert time.monotonic() < deadline, f"waited {_PREPARED_SECONDS:g} s for {what}"
        time.sleep(0.3)
