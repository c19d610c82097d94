"""One event loop for each thread: what belongs to a loop can be used by the next job, too."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading

import pytest
from hourwheel import Scheduler
from hourwheel.errors import JobFailed
from hourwheel.store import MemoryStore
from hourwheel.worker.run.loops import close_loop, run_in_loop

LONG_S = 30.0


@pytest.mark.parametrize("pool", ["solo", "threads"])
def test_an_async_client_that_several_jobs_share_failed_from_the_second_on(pool: str) -> None:
    app = Scheduler(MemoryStore(), pool=pool, workers=1)
    lock = asyncio.Lock()  # it is bound to the loop in which it was first waited for, as clients are

    @app.task
    async def use() -> str:
        waiting = asyncio.create_task(lock.acquire())
        await waiting
        other = asyncio.create_task(lock.acquire())
        await asyncio.sleep(0)
        lock.release()
        await other
        lock.release()
        return "used"

    with app:
        assert [use.delay().get(timeout=LONG_S) for _ in range(3)] == ["used"] * 3
    assert app.run_due() == 0


def test_the_error_of_a_client_of_another_loop_says_what_to_do() -> None:
    app = Scheduler(MemoryStore(), workers=1)

    @app.task
    async def use() -> None:
        raise RuntimeError("<Lock> is bound to a different event loop")

    with app, pytest.raises(JobFailed) as caught:
        use.delay().get(timeout=LONG_S)
    assert 'pool="asyncio"' in (caught.value.traceback or "")


def test_what_one_job_leaves_running_goes_on_with_the_next_and_ends_with_the_thread() -> None:
    ended: list[str] = []
    loops: list[asyncio.AbstractEventLoop] = []

    async def background() -> None:
        try:
            await asyncio.sleep(0)
            ended.append("one step")
            await asyncio.sleep(LONG_S)
        finally:
            ended.append("cancelled")

    async def leave() -> None:
        loops.append(asyncio.get_running_loop())
        ended.append(f"left {bool(asyncio.create_task(background()))}")

    async def go_on() -> None:
        loops.append(asyncio.get_running_loop())
        await asyncio.sleep(0.01)

    def live() -> None:
        run_in_loop(leave())
        run_in_loop(go_on())
        close_loop()

    thread = threading.Thread(target=live)
    thread.start()
    thread.join(LONG_S)
    assert ended == ["left True", "one step", "cancelled"]
    assert loops[0] is loops[1]
    assert loops[0].is_closed()


def test_a_thread_that_ends_gives_its_loop_back() -> None:
    loops: list[asyncio.AbstractEventLoop] = []

    async def look() -> None:
        loops.append(asyncio.get_running_loop())

    thread = threading.Thread(target=lambda: run_in_loop(look()))
    thread.start()
    thread.join(LONG_S)
    assert loops[0].is_closed()


def test_a_process_whose_job_used_to_thread_ends_without_a_word() -> None:
    code = """
import asyncio, time
from hourwheel.worker.run.loops import run_in_loop

async def use_a_thread():
    await asyncio.to_thread(time.monotonic)

run_in_loop(use_a_thread())
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=LONG_S, check=False)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", "")
