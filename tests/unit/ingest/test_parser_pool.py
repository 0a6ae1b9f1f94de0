from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import psutil
import pytest

from ragfleet_runtime.ingest.isolate import ParserPool
from ragfleet_runtime.ingest.model import ParseError
from unit.ingest import parser_tasks as tasks

pytestmark = pytest.mark.anyio
MIB = 2**20

Children = Callable[[], list[psutil.Process]]


@pytest.fixture(params=[False, True], ids=["asyncio", "uvloop"])
def anyio_backend(request: pytest.FixtureRequest) -> tuple[str, dict[str, object]]:
    return "asyncio", {"use_uvloop": request.param}


@asynccontextmanager
async def pool_of(
    workers: int = 2, seconds: float = 30, memory_bytes: int = 256 * MIB
) -> AsyncIterator[ParserPool]:
    pool = ParserPool(workers, seconds, memory_bytes)
    try:
        yield pool
    finally:
        await pool.aclose()


@pytest.fixture
def children() -> Children:
    """Finds the processes that a test started; of the same run's other tests there may be more."""
    before = set(psutil.Process().children(recursive=True))
    return lambda: [one for one in psutil.Process().children(recursive=True) if one not in before]


async def test_a_result_comes_back() -> None:
    async with pool_of() as pool:
        assert await pool.run(tasks.echo, ("text", b"\0" * (3 * MIB))) == ("text", b"\0" * (3 * MIB))


async def test_processes_are_kept() -> None:
    async with pool_of(1) as pool:
        assert await pool.run(tasks.process_id) == await pool.run(tasks.process_id) != os.getpid()


async def test_no_more_processes_than_workers(children: Children) -> None:
    async with pool_of(2) as pool:
        ids = await asyncio.gather(*(pool.run(tasks.process_id) for _ in range(20)))
        assert len(set(ids)) <= 2
        assert len(children()) <= 2


async def test_what_the_function_refuses() -> None:
    async with pool_of(1) as pool:
        before = await pool.run(tasks.process_id)
        with pytest.raises(ParseError, match=r"^the PDF is encrypted$"):
            await pool.run(tasks.refuse, "the PDF is encrypted")
        assert await pool.run(tasks.process_id) == before


@pytest.mark.parametrize("task", [tasks.hang, tasks.spin])
async def test_a_function_that_hangs_is_ended_and_others_succeed(task: object) -> None:
    assert callable(task)
    async with pool_of(2, seconds=0.3) as pool:
        began = time.monotonic()
        hanging, *others = await asyncio.gather(
            pool.run(task), *(pool.run(tasks.echo, n) for n in range(10)), return_exceptions=True
        )
        assert isinstance(hanging, ParseError)
        assert "took longer than 0.3 s" in str(hanging)
        assert others == list(range(10))
        assert time.monotonic() - began < 5
        assert await pool.run(tasks.echo, "next") == "next"


@pytest.mark.parametrize(
    ("task", "arguments"),
    [(tasks.leave, (0,)), (tasks.leave, (3,)), (tasks.segfault, ()), (tasks.kill_self, ())],
)
async def test_a_function_that_crashes_and_others_succeed(
    task: object, arguments: tuple[object, ...]
) -> None:
    assert callable(task)
    async with pool_of(2) as pool:
        crashed, *others = await asyncio.gather(
            pool.run(task, *arguments), *(pool.run(tasks.echo, n) for n in range(10)), return_exceptions=True
        )
        assert isinstance(crashed, ParseError)
        assert "the parser crashed on this file" in str(crashed)
        assert others == list(range(10))
        assert await pool.run(tasks.echo, "next") == "next"


async def test_a_function_that_needs_too_much_memory_and_others_succeed() -> None:
    async with pool_of(2, memory_bytes=128 * MIB) as pool:
        greedy, *others = await asyncio.gather(
            pool.run(tasks.allocate, 200),
            *(pool.run(tasks.echo, n) for n in range(10)),
            return_exceptions=True,
        )
        assert isinstance(greedy, ParseError)
        assert "needs more than 128 MiB" in str(greedy)
        assert others == list(range(10))
        assert await pool.run(tasks.allocate, 100) == 100 * MIB


async def test_a_process_that_has_grown_is_replaced() -> None:
    async with pool_of(1, memory_bytes=1024 * MIB) as pool:
        small = await pool.run(tasks.process_id)
        assert await pool.run(tasks.keep, 300) == small
        assert await pool.run(tasks.process_id) != small


async def test_a_parser_that_fails_names_its_error(capsys: pytest.CaptureFixture[str]) -> None:
    async with pool_of(1) as pool:
        with pytest.raises(ParseError, match="the parser failed on this file: LookupError: no such thing"):
            await pool.run(tasks.fail)
        with pytest.raises(ParseError, match="the parser failed on this file"):
            await pool.run(tasks.unpicklable)
        assert await pool.run(tasks.echo, "next") == "next"
    assert "in fail" in capsys.readouterr().out


async def test_what_a_parser_prints_is_not_its_reply() -> None:
    async with pool_of(1) as pool:
        assert await pool.run(tasks.shout) == ""


async def test_waiting_for_a_worker_is_not_counted() -> None:
    async with pool_of(1, seconds=0.4) as pool:
        results = await asyncio.gather(*(pool.run(time.sleep, 0.1) for _ in range(6)))
        assert results == [None] * 6


async def test_a_call_may_have_its_own_limit() -> None:
    async with pool_of(1) as pool:
        with pytest.raises(ParseError, match=r"took longer than 0\.2 s"):
            await pool.run(tasks.hang, timeout_seconds=0.2)


async def test_a_cancelled_call_ends_its_process(children: Children) -> None:
    async with pool_of(1) as pool:
        before = await pool.run(tasks.process_id)
        call = asyncio.create_task(pool.run(tasks.hang))
        await asyncio.sleep(0.1)
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        assert await pool.run(tasks.process_id) != before
        assert len(children()) == 1


async def test_a_call_cancelled_while_its_process_starts_leaves_none_behind(children: Children) -> None:
    async with pool_of(1) as pool:
        for delay in (0, 0.001, 0.005, 0.01, 0.02):
            call = asyncio.create_task(pool.run(tasks.echo, 1))
            await asyncio.sleep(delay)
            call.cancel()
            await asyncio.wait([call])
        assert await pool.run(tasks.echo, "next") == "next"
    assert children() == []


async def test_an_idle_process_that_died_is_replaced(children: Children) -> None:
    async with pool_of(1) as pool:
        os.kill(await pool.run(tasks.process_id), signal.SIGKILL)
        while children():  # noqa: ASYNC110, the end of a process is no event of the loop
            await asyncio.sleep(0.01)
        assert await pool.run(tasks.echo, "next") == "next"


async def test_closing_leaves_no_process_behind(children: Children) -> None:
    pool = ParserPool(2, 30, 256 * MIB)
    calls = [asyncio.create_task(pool.run(task)) for task in (tasks.hang, tasks.hang, tasks.process_id)]
    await asyncio.sleep(0.3)
    began = time.monotonic()
    await pool.aclose()
    assert time.monotonic() - began < 2
    assert children() == []
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, RuntimeError) for result in results)
    with pytest.raises(RuntimeError, match="the parser pool is closed"):
        await pool.run(tasks.process_id)
    await pool.aclose()


async def test_a_worker_is_small_and_writes_no_core_file(children: Children) -> None:
    async with pool_of(1) as pool:
        loaded = await pool.run(tasks.modules)
        assert not {"pydantic", "asyncio", "anyio", "pytest", "structlog"} & set(loaded)
        core, space = await pool.run(tasks.limits)
        assert core.split()[4] == "0"
        assert space.split()[3].isdigit()
        assert children()[0].memory_info().rss < 40 * MIB


async def test_a_parser_has_none_of_the_service_s_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-in-the-environment")
    async with pool_of(1) as pool:
        seen = await pool.run(tasks.environment)
    assert "PATH" in seen
    assert "sk-in-the-environment" not in seen.values()
