"""The open shard, which a rebuild replaces under the feet of those who use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import qdrant_edge as edge

from ragfleet_runtime.errors import EngineError

R = TypeVar("R")


def guard(function: Callable[..., R], *args: Any) -> R:
    """Call the engine; whatever it raises becomes an EngineError, a panic of its Rust code included."""
    try:
        return function(*args)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        raise EngineError(str(error) or type(error).__name__) from error


@dataclass
class _Lease:
    shard: edge.EdgeShard
    users: int = 0
    after: Callable[[], None] | None = None

    @property
    def is_over(self) -> bool:
        return self.after is not None and not self.users

    def end(self) -> None:
        guard(self.shard.close)
        if self.after is not None:
            self.after()


class ShardSlot:
    """The shard in use. One that was replaced is closed when its last user has left."""

    def __init__(self, shard: edge.EdgeShard) -> None:
        self._lease = _Lease(shard)
        self._lock = threading.Lock()

    @contextmanager
    def use(self) -> Iterator[edge.EdgeShard]:
        """The shard, which stays open inside."""
        with self._lock:
            lease = self._lease
            lease.users += 1
        try:
            yield lease.shard
        finally:
            with self._lock:
                lease.users -= 1
                is_over = lease.is_over
            if is_over:
                lease.end()

    def replace(self, shard: edge.EdgeShard, after: Callable[[], None]) -> None:
        """Let users have another shard from now on; ``after`` is called when the old one is closed."""
        with self._lock:
            old, self._lease = self._lease, _Lease(shard)
            old.after = after
            is_over = old.is_over
        if is_over:
            old.end()

    def close(self) -> None:
        """Close the shard in use; there must be no users."""
        self._lease.end()
