"""A part is kept running, whatever ends it and whatever stands in the way of its next start."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from backend.supervisor import local
from backend.supervisor.child import Child
from worker import logs


async def until(happens: Callable[[], bool]) -> None:
    while not happens():
        await asyncio.sleep(0.02)


def test_a_part_that_cannot_be_started_just_now_is_started_a_little_later(tmp_path: Path) -> None:
    (tmp_path / "logs").touch()  # where its folder of logs should be
    told: list[str] = []

    async def scene() -> None:
        part = Child(
            "part", ("sleep", "600"), dict, tmp_path / "logs" / "part.log",
            on_restart=lambda name, how, _pause: told.append(f"{name} {how}"),
        )  # fmt: skip
        part.start()
        try:
            await asyncio.wait_for(until(lambda: len(told) == 2), 30)
            assert part.pid is None
            (tmp_path / "logs").unlink()
            await asyncio.wait_for(until(lambda: part.pid is not None), 30)
        finally:
            await part.stop()

    asyncio.run(scene())
    assert told[0].startswith("part could not be started (")
    assert "File exists" in told[0] or "Not a directory" in told[0]


def test_a_part_that_ends_is_started_again_and_told_with_its_ending(tmp_path: Path) -> None:
    told: list[str] = []

    async def scene() -> None:
        part = Child(
            "part", ("sh", "-c", "exit 3"), dict, tmp_path / "part.log",
            on_restart=lambda name, how, _pause: told.append(f"{name} {how}"),
        )  # fmt: skip
        part.start()
        try:
            await asyncio.wait_for(until(lambda: len(told) == 2), 30)
        finally:
            await part.stop()

    asyncio.run(scene())
    assert told == ["part ended (exit code 3)"] * 2


def test_the_logs_of_parts_do_not_grow_for_ever_while_these_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "ROTATED_AT_BYTES", 100)
    monkeypatch.setattr(local, "ROTATED_EVERY_S", 0.02)
    path = tmp_path / "logs" / "part.log"

    async def scene() -> None:
        part = Child("part", ("sh", "-c", "while :; do echo a line; sleep 0.01; done"), dict, path)
        part.start()
        rotating = asyncio.create_task(local.rotate_logs({"part": part}))
        try:
            await asyncio.wait_for(until(Path(f"{path}.2").exists), 30)
            await asyncio.wait_for(until(lambda: path.stat().st_size > 0), 30)
        finally:
            rotating.cancel()
            await part.stop()

    asyncio.run(scene())
    assert set(path.read_text().splitlines()) == {"a line"}
