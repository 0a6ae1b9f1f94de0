"""What goes wrong between the operator and the API server, at random."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Final

from support.control_plane import ControlPlane
from support.fault_proxy import FaultProxy
from support.fault_proxy_calls import READS, WRITES, calls
from support.fault_proxy_rules import Answer, Cut, Delay, Expire, Fault, Stall

_OF_REQUESTS: Final[tuple[Fault, ...]] = (
    Delay(0.3),
    Delay(3.0),
    Answer(409, "the object has been modified"),
    Answer(410, "too old resource version"),
    Answer(422, "admission webhook denied the request"),
    Answer(429, "too many requests", retry_after=1),
    Answer(429, "too many requests", retry_after=5),
    Answer(500, "etcdserver: request timed out"),
    Answer(503, "apiserver is shutting down"),
    Cut(),
    Cut(forwarded=True),
    Stall(),
)
# What a server answers so; any other fault is met by all.
_ANSWERED_TO: Final[Mapping[int, frozenset[str]]] = {
    409: WRITES,
    410: frozenset({"list"}),
    422: WRITES,
}
_OF_WATCHES: Final[tuple[Fault, ...]] = (
    Answer(410),
    Answer(429, retry_after=1),
    Answer(500),
    Cut(),
    Stall(),
    Expire(),
)
_RESOURCES: Final = (
    (),
    ("ragpipelines/status",),
    ("deployments",),
    ("services", "secrets", "configmaps"),
    ("horizontalpodautoscalers", "controllerrevisions"),
    ("ragpipelines",),
)


class Weather:
    """Faults for some seconds each, of every kind. over: ends them early."""

    def __init__(self, proxy: FaultProxy, over: threading.Event) -> None:
        self.met: Counter[str] = Counter()
        self._proxy = proxy
        self._over = over

    def change(self, chance: random.Random) -> str:
        """One spell of bad weather; what it was."""
        kind = chance.choices(["requests", "watches", "silence", "cut", "partition"], [50, 20, 4, 6, 20])[0]
        if kind == "silence":
            resource = chance.choice(_RESOURCES)
            self.met["watches silenced"] += self._proxy.silence(calls(resources=resource))
        elif kind == "cut":
            self.met["watches cut"] += self._proxy.cut(calls(resources=chance.choice(_RESOURCES)))
        elif kind == "partition":
            hangs = chance.random() < 0.5
            with self._proxy.partition(hangs=hangs):
                self._over.wait(chance.uniform(0.5, 8))
            self.met["partitions, hanging" if hangs else "partitions, refused"] += 1
        elif kind == "watches":
            self._rule(chance, chance.choice(_OF_WATCHES), frozenset({"watch"}), "watches")
        else:
            fault = chance.choice(_OF_REQUESTS)
            verbs = chance.choice((WRITES, READS, WRITES | READS))
            if isinstance(fault, Answer):
                verbs = _ANSWERED_TO.get(fault.code, verbs)
            self._rule(chance, fault, verbs, "requests")
        return kind

    def _rule(self, chance: random.Random, fault: Fault, verbs: frozenset[str], whose: str) -> None:
        where = calls(verbs=verbs, resources=chance.choice(_RESOURCES))
        rule = self._proxy.add(fault, where, probability=chance.choice((0.1, 0.4, 1.0)))
        self._over.wait(chance.uniform(0.5, 5))
        self._proxy.rules.remove(rule)
        self.met[f"{whose}: {_told(fault)}"] += rule.met


class Server:
    """The API server, restarted now and then, with its past dropped or not."""

    def __init__(self, control_plane: ControlPlane) -> None:
        self._control_plane = control_plane

    def restart(self, chance: random.Random) -> str:
        """Restart it."""
        if chance.random() < 0.5:
            self._control_plane.compact()
            self._control_plane.restart_api_server()
            return "compact and restart"
        self._control_plane.restart_api_server()
        return "restart"


def kinds_of_faults() -> frozenset[str]:
    """What ``met`` counts when everything was met."""
    requests = {f"requests: {_told(fault)}" for fault in _OF_REQUESTS}
    watches = {f"watches: {_told(fault)}" for fault in _OF_WATCHES}
    others = {"watches silenced", "watches cut", "partitions, hanging", "partitions, refused"}
    return frozenset(requests | watches | others)


def _told(fault: Fault) -> str:
    match fault:
        case Answer():
            return str(fault.code)
        case Cut():
            return "answer lost" if fault.forwarded else "request lost"
    return type(fault).__name__.lower()
