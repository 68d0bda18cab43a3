"""Work in a thread: its result or error comes back, and a stop does not wait for it."""

import asyncio
import threading

import pytest

from backend.supervisor.in_thread import in_thread


def test_result_and_error_come_back() -> None:
    def fails() -> None:
        raise ValueError("said")

    assert asyncio.run(in_thread(lambda: 3)) == 3
    with pytest.raises(ValueError, match="said"):
        asyncio.run(in_thread(fails))


def test_a_stop_leaves_work_behind_that_does_not_end() -> None:
    released = threading.Event()

    async def scene() -> None:
        task = asyncio.create_task(in_thread(released.wait))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(scene())  # would wait for ever if it waited for the thread
    assert not released.is_set()
    released.set()


def test_a_stop_lets_work_end_that_is_nearly_through() -> None:
    began, ended = threading.Event(), threading.Event()

    def work() -> None:
        began.set()
        threading.Event().wait(0.2)
        ended.set()

    async def scene() -> None:
        task = asyncio.create_task(in_thread(work))
        while not began.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert ended.is_set()

    asyncio.run(scene())
