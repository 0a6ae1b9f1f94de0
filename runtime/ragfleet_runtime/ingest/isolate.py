"""Untrusted files are parsed in processes of their own, under limits of time and memory.

``anyio.to_process`` isn't used: its workers import the parent's main module (the whole command line), take a
Ctrl-C meant for the parent, count their own start towards the caller's time limit, and are left behind
when a caller is cancelled while they start.
"""

from __future__ import annotations

import asyncio
import pickle
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar, TypeVarTuple, cast

import structlog

from ragfleet_runtime.ingest.model import ParseError
from ragfleet_runtime.ingest.worker import LENGTH_BYTES, READY, Status
from ragfleet_runtime.processes import lean_environment

_R = TypeVar("_R")
_A = TypeVarTuple("_A")

_START_SECONDS = 30
_BUFFER_BYTES = 2**20
_PROGRAM = Path(__file__).with_name("worker.py")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ParserPool:
    """Runs functions in up to ``workers`` processes, which are started as they are needed and then kept.

    timeout_seconds: longest time for one call. memory_bytes: most memory that the calls of a process may take
    on top of what it starts with. A pool belongs to one event loop.
    """

    def __init__(self, workers: int, timeout_seconds: float, memory_bytes: int) -> None:
        self._timeout_seconds = timeout_seconds
        self._memory_bytes = memory_bytes
        self._slot_count = workers
        self._slots = asyncio.Semaphore(workers)
        self._idle: list[_Worker] = []
        self._workers: set[_Worker] = set()
        self._endings: set[asyncio.Task[None]] = set()
        self._is_closed = False

    async def run(
        self, function: Callable[[*_A], _R], *args: *_A, timeout_seconds: float | None = None
    ) -> _R:
        """Call a top-level function with arguments that pickle, in a worker process.

        Raises ParseError: the function's own, or one that says that it took too long, needed too much memory,
        crashed its process or failed. The next call isn't affected.
        """
        seconds = self._timeout_seconds if timeout_seconds is None else timeout_seconds
        call = pickle.dumps((function, args, seconds), pickle.HIGHEST_PROTOCOL)
        self._check_open()
        async with self._slots:
            try:
                status, value = await self._answer(call, seconds)
            except TimeoutError:
                raise ParseError(
                    f"took longer than {seconds:g} s: split the document, or raise the time limit"
                ) from None
            except (EOFError, OSError):
                self._check_open()
                raise ParseError(
                    f"the parser crashed on this file: it may be damaged, or need more than {self._memory}"
                ) from None
        match status:
            case Status.RETURNED:
                return cast(_R, value)
            case Status.REFUSED:
                raise ParseError(str(value))
            case Status.OUT_OF_MEMORY:
                raise ParseError(
                    f"needs more than {self._memory}: split the document, or raise the memory limit"
                )
            case _:
                traceback = str(value)
                log.error("a parser failed", function=function.__name__, traceback=traceback)
                raise ParseError(f"the parser failed on this file: {traceback.strip().splitlines()[-1]}")

    async def aclose(self) -> None:
        """End all processes; calls that are running or waiting raise RuntimeError."""
        if self._is_closed:
            return
        self._is_closed = True
        for worker in self._workers:
            worker.kill()
        for _ in range(self._slot_count):
            await self._slots.acquire()
        for worker in self._idle:
            self._end(worker)
        self._idle.clear()
        await asyncio.gather(*self._endings)

    async def _answer(self, call: bytes, seconds: float) -> tuple[int, object]:
        """Status and value of a call. Raises TimeoutError, and EOFError or OSError where it crashes."""
        worker = self._take_idle()
        if worker is not None:
            # This one may have died since, or been damaged by an earlier document: a crash proves nothing.
            with suppress(EOFError, ConnectionError):
                return await self._ask(worker, call, seconds)
        return await self._ask(await self._start(), call, seconds)

    async def _ask(self, worker: _Worker, call: bytes, seconds: float) -> tuple[int, object]:
        keeps = False
        try:
            async with asyncio.timeout(seconds):
                status, value, retires = await worker.answer(call)
            keeps = not retires and status != Status.OUT_OF_MEMORY
            return status, value
        finally:
            self._give_back(worker, keeps=keeps)

    def _take_idle(self) -> _Worker | None:
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive:
                return worker
            self._end(worker)
        return None

    async def _start(self) -> _Worker:
        self._check_open()
        worker = await _Worker.spawn()
        self._workers.add(worker)
        try:
            async with asyncio.timeout(_START_SECONDS):
                await worker.start(self._memory_bytes)
            self._check_open()
        except (EOFError, OSError) as error:  # TimeoutError is an OSError
            self._end(worker)
            raise RuntimeError("a parser process can't be started") from error
        except BaseException:
            self._end(worker)
            raise
        return worker

    def _give_back(self, worker: _Worker, *, keeps: bool) -> None:
        if keeps and not self._is_closed:
            self._idle.append(worker)
        else:
            self._end(worker)

    def _end(self, worker: _Worker) -> None:
        """Kill a process now; it is reaped beside what follows, since the caller may be cancelled."""
        self._workers.discard(worker)
        task = asyncio.get_running_loop().create_task(worker.end())
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    def _check_open(self) -> None:
        if self._is_closed:
            raise RuntimeError("the parser pool is closed")

    @property
    def _memory(self) -> str:
        return f"{self._memory_bytes // 2**20} MiB of memory"


class _Worker:
    """A process and the two ends of its pipes."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        requests: asyncio.StreamWriter,
        replies: asyncio.StreamReader,
    ) -> None:
        self._process = process
        self._requests = requests
        self._replies = replies

    @classmethod
    async def spawn(cls) -> _Worker:
        """Begin to start a process."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", str(_PROGRAM)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=_BUFFER_BYTES,
            env=lean_environment(),
            start_new_session=True,  # a Ctrl-C in the terminal is the parent's
        )
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("a parser process has no pipes")
        return cls(process, process.stdin, process.stdout)

    @property
    def is_alive(self) -> bool:
        """Whether the process hasn't ended by itself."""
        return self._process.returncode is None

    async def start(self, memory_bytes: int) -> None:
        """Wait for a process to be ready. Raises EOFError or OSError where it ends."""
        await self._send(pickle.dumps((sys.path, memory_bytes)))
        if await self._receive() != READY:
            raise EOFError

    async def answer(self, call: bytes) -> tuple[int, object, bool]:
        """The status and value of a call, and whether the process retires. Raises EOFError or OSError."""
        await self._send(call)
        status, value, retires = await self._receive()
        return status, value, retires

    def kill(self) -> None:
        """End the process at once; a call that waits for its answer gets EOFError or OSError."""
        with suppress(ProcessLookupError):
            self._process.kill()

    async def end(self) -> None:
        """Kill the process and release what it holds."""
        self.kill()
        await self._process.wait()
        self._requests.close()
        with suppress(OSError):
            await self._requests.wait_closed()
        while await self._replies.read(_BUFFER_BYTES):  # to its end, where the pipe is closed
            pass

    async def _send(self, message: bytes) -> None:
        self._requests.write(len(message).to_bytes(LENGTH_BYTES, "big"))
        self._requests.write(message)
        await self._requests.drain()

    async def _receive(self) -> Any:
        header = await self._replies.readexactly(LENGTH_BYTES)
        return pickle.loads(await self._replies.readexactly(int.from_bytes(header, "big")))  # noqa: S301
