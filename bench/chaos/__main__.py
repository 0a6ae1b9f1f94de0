"""Let everything fail around an operator: ``make chaos MINUTES=10``. Exit code 1 where something diverges."""

from __future__ import annotations

import argparse
import random
import secrets
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.chaos.actors import Actor, acting, until
from bench.chaos.kills import every_kill_point
from bench.chaos.operators import Operators, Weight, weigh
from bench.chaos.users import Place, Users
from bench.chaos.verdict import is_quarrel, settle, statuses, wait_until_quiet, weight_bars
from bench.chaos.weather import Server, Weather, kinds_of_faults
from bench.table import Bar, show
from ragfleet_operator.kinds import PIPELINE
from ragfleet_operator.model import Settings
from support.control_plane import ControlPlane, control_plane
from support.control_plane_audit import AUDITED_NAMESPACE
from support.fault_proxy import FaultProxy, fault_proxy
from support.fault_proxy_calls import Call
from support.fault_proxy_people import People, people
from support.fault_proxy_state import differences
from support.operator_process import IMAGE, OperatorProcess, operator_process

_ROOT: Final = Path(__file__).parents[2]
_IN_A_NAMESPACE: Final = 25
# Of the time, that in which operators die; the last of them lives through the rest.
_DEADLY: Final = 0.6
# A watch that was silenced is opened again after 90 s, and a failed rollout goes back after 30 s or more.
_SETTLE_SECONDS: Final = 300.0
_STEADY_SECONDS: Final = 20.0
_SHOWN: Final = 20
_LONGEST_LINE: Final = 300


def main() -> int:
    """Run, show the table, and tell whether all is as it should be."""
    parser = argparse.ArgumentParser(prog="bench.chaos")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--pipelines", type=int, default=200)
    parser.add_argument("--kill-points", action="store_true", help="only: an operator killed at each write")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    chosen = parser.parse_args()
    print(f"seed {chosen.seed}", file=sys.stderr)
    with (
        control_plane() as cluster,
        fault_proxy(cluster, seed=chosen.seed) as proxy,
        tempfile.TemporaryDirectory(prefix="chaos-") as folder,
    ):
        for file in ("crds/ragpipelines.yaml", "deploy/cluster.yaml"):
            cluster.kubectl("apply", "--server-side", "-f", str(_ROOT / file))
        cluster.kubectl("wait", "--for=condition=Established", f"crd/{PIPELINE.plural}.{PIPELINE.group}")
        life = int(chosen.minutes * 60) + 3600
        token = cluster.token_for("ragfleet-operator", AUDITED_NAMESPACE, seconds=life)
        config = proxy.kubeconfig(Path(folder, "config"), token)

        @contextmanager
        def start() -> Iterator[OperatorProcess]:
            with operator_process(cluster, kubeconfig=config, ready=False) as operator:
                yield operator

        if chosen.kill_points:
            return 0 if show(every_kill_point(cluster, proxy, Path(folder)), []) else 1
        chaos = Chaos(cluster, proxy, Operators(start), chosen.seed)
        all_well = show(chaos.run(places(chosen.pipelines), chosen.minutes * 60), [])
    chaos.explain()
    if not all_well:
        print(
            f"to repeat it: --minutes {chosen.minutes:g} --pipelines {chosen.pipelines} --seed {chosen.seed}"
        )
    return 0 if all_well else 1


def places(count: int) -> list[Place]:
    """Where that many pipelines are."""
    numbers = range(count)
    return [Place(f"chaos-{number // _IN_A_NAMESPACE:02}", f"chaos-{number:04}") for number in numbers]


class Chaos:
    """One run: what happens in it, and what it is judged by."""

    def __init__(self, cluster: ControlPlane, proxy: FaultProxy, operators: Operators, seed: int) -> None:
        self._cluster = cluster
        self._proxy = proxy
        self._operators = operators
        self._seed = seed
        self._diverged: dict[str, list[str]] = {}
        self._done: Counter[str] = Counter()
        self._met: Counter[str] = Counter()
        self._restarted: list[str] = []

    def run(self, where: Sequence[Place], seconds: float) -> list[Bar]:
        """Make pipelines, let everything fail for so many seconds, let it settle, and judge."""
        end = time.monotonic() + seconds
        with people(self._cluster) as they:
            users = Users(they.client, where)
            users.create_all(random.Random(self._seed))
            lived = self._fail(they, users, where, end - seconds * (1 - _DEADLY), end)
            written, fresh = self._steady(they, sorted({place.namespace for place in where}))
        return [*self._bars(written), *weight_bars(lived, fresh)]

    def _fail(
        self, they: People, users: Users, where: Sequence[Place], last_death: float, end: float
    ) -> Weight:
        """Let everything fail, then settle; what the operator holds that lived through the last of it."""
        over = threading.Event()
        weather = Weather(self._proxy, over)
        actors = [
            Actor("owners", self._seed, users.own, 60 / len(where)),
            Actor("meddlers", self._seed, users.meddle, 60 / len(where)),
            Actor("weather", self._seed, weather.change, 2.0),
            Actor("server", self._seed, Server(self._cluster).restart, 60.0),
        ]
        with ExitStack() as stack:
            with acting(actors):
                self._operators.live_and_die(random.Random(self._seed), lambda: time.monotonic() > last_death)
                operator = stack.enter_context(self._operators.operator())
                until(end, actors)
                over.set()
            self._proxy.rules.clear()
            _renew_garbage_collector(self._cluster)
            users.calm()
            self._done.update(
                {f"{actor.name}: {what}": n for actor in actors for what, n in actor.done.items()}
            )
            self._met = weather.met
            namespaces = sorted({place.namespace for place in where})
            self._diverged = settle(they, namespaces, Settings(IMAGE), _SETTLE_SECONDS)
            wait_until_quiet(they, namespaces, _STEADY_SECONDS)
            return weigh(operator)

    def _steady(self, they: People, namespaces: Sequence[str]) -> tuple[list[str], Weight]:
        """What an operator changes that is started when nothing is to be done, and what it holds."""
        before = statuses(they, namespaces)
        start = len(self._proxy.log)
        with self._operators.operator() as operator:
            operator.wait_ready(60)
            time.sleep(_STEADY_SECONDS)
            made = [done.call for done in self._proxy.writes(start) if done.call.resource != "events"]
            after = statuses(they, namespaces)
            # Whom it quarrels with is in an operator's memory, and a fresh one has none.
            quarrels = [name for name, told in before.items() if is_quarrel(told)]
            calm = sorted(before.keys() - quarrels)
            changed = [f"{name}: {one}" for name in calm for one in differences(after[name], before[name])]
            others = [
                str(call)
                for call in made
                if call.resource != "ragpipelines/status"
                and not any(_concerns(call, name) for name in quarrels)
            ]
            self._restarted = [*changed, *others]
            return self._restarted, weigh(operator)

    def _bars(self, written: Sequence[str]) -> list[Bar]:
        wrong, errors = self._operators.wrong, self._operators.errors
        done = f"{self._done.total()} acts of people, {self._operators.lives} operators"
        missed = sorted(kinds_of_faults() - {kind for kind, count in self._met.items() if count})
        told = "; ".join(written[:3])
        print(f"faults: {dict(sorted(self._met.items()))}", file=sys.stderr)
        print(f"acts: {dict(sorted(self._done.items()))}", file=sys.stderr)
        return [
            Bar("pipelines that diverge", len(self._diverged), "==", 0, "", done),
            Bar("tracebacks, and operators that ended by themselves", len(wrong), "==", 0, ""),
            Bar("errors in the log", len(errors), "==", 0, ""),
            Bar("changes by an operator that starts when all is well", len(written), "==", 0, "", told),
            Bar(
                "faults met",
                self._met.total(),
                ">=",
                1,
                "",
                f"not met: {', '.join(missed) or 'none'}",
            ),
        ]

    def explain(self) -> None:
        """Say what was wrong."""
        told = [f"{name}: {one}" for name, found in self._diverged.items() for one in found] + self._restarted
        for lines in (told, self._operators.wrong, self._operators.errors):
            for line, count in Counter(line[:_LONGEST_LINE] for line in lines).most_common(_SHOWN):
                print(f"{count} x {line}")


def _renew_garbage_collector(cluster: ControlPlane) -> None:
    """Start the controller manager anew.

    Its garbage collector (1.35) loses a custom kind while an API server that comes back doesn't serve it yet,
    and never hears of the owners that are deleted meanwhile: what they owned would stay for ever.
    """
    manager = cluster.programs["kube-controller-manager"]
    manager.kill()
    manager.start()


def _concerns(call: Call, pipeline: str) -> bool:
    return f"{call.namespace}/{call.name}".startswith(pipeline)


if __name__ == "__main__":
    sys.exit(main())
