"""What a proxy does to requests: faults, and the rules that say whom they meet."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from support.fault_proxy_calls import Call

# https://github.com/kubernetes/apimachinery/blob/master/pkg/apis/meta/v1/types.go, StatusReason
_REASONS: Final = {
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
    504: "Timeout",
}


@dataclass(frozen=True, slots=True)
class Delay:
    """The request reaches the server so many seconds later."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Answer:
    """The server isn't asked; the answer is a ``Status``. retry_after: whole seconds, as a header."""

    code: int
    message: str = "said by the fault proxy"
    retry_after: int | None = None

    def status(self) -> dict[str, Any]:
        """The body."""
        details = {} if self.retry_after is None else {"details": {"retryAfterSeconds": self.retry_after}}
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": _REASONS.get(self.code, "Unknown"),
            "code": self.code,
            **details,
        }


@dataclass(frozen=True, slots=True)
class Cut:
    """The connection is closed in the place of an answer. forwarded: what was asked is done all the same.

    then: is called at that moment, before the connection is closed.
    """

    forwarded: bool = False
    then: Callable[[], object] | None = None


@dataclass(frozen=True, slots=True)
class Stall:
    """Nothing is answered; a watch is opened, and stays silent."""


@dataclass(frozen=True, slots=True)
class Expire:
    """A watch is opened and tells at once that its version is too old, as the server does (410)."""


Fault = Delay | Answer | Cut | Stall | Expire


@dataclass
class Rule:
    """A fault for the requests that fit. skip: so many that fit pass before; times: then so many meet it.

    probability: of each that fits. met: how many did; only the proxy writes it.
    """

    fault: Fault
    where: Callable[[Call], bool]
    times: int | None = None
    skip: int = 0
    probability: float = 1.0
    met: int = field(default=0)

    @property
    def is_over(self) -> bool:
        """Whether nothing more meets it."""
        return self.times is not None and self.met >= self.times


class Rules:
    """Rules, to be changed from any thread: the first that fits and isn't over counts."""

    def __init__(self, seed: int) -> None:
        self._rules: list[Rule] = []
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def add(self, rule: Rule) -> Rule:
        """Have it from now on."""
        with self._lock:
            self._rules.append(rule)
        return rule

    def remove(self, rule: Rule) -> None:
        """Have it no more; nothing where it isn't there."""
        with self._lock:
            self._rules = [one for one in self._rules if one is not rule]

    def clear(self) -> None:
        """Have none."""
        with self._lock:
            self._rules.clear()

    def next(self, call: Call) -> Fault | None:
        """The fault that a request meets, counted."""
        with self._lock:
            for rule in self._rules:
                if not rule.is_over and rule.where(call) and self._meets(rule):
                    return rule.fault
        return None

    def _meets(self, rule: Rule) -> bool:
        if rule.skip:
            rule.skip -= 1
            return False
        if rule.probability < 1.0 and self._random.random() >= rule.probability:
            return False
        rule.met += 1
        return True
