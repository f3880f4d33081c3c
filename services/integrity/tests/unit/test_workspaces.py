from __future__ import annotations

import stat
from pathlib import Path

from indigo_integrity.adapters.workspaces import Workspaces


async def test_directories_are_private_and_gone_afterwards(tmp_path: Path) -> None:
    workspaces = Workspaces(tmp_path / "work")
    async with workspaces.fresh() as one, workspaces.fresh() as other:
        assert one != other
        assert stat.S_IMODE(one.stat().st_mode) == 0o700
        (one / "deep").mkdir()
        (one / "deep/file").touch()
    assert not one.exists()
    assert stat.S_IMODE((tmp_path / "work").stat().st_mode) == 0o700


async def test_what_the_dead_left_is_removed_and_the_living_are_left_alone(tmp_path: Path) -> None:
    dead = tmp_path / "process-dead"
    (dead / "run-1").mkdir(parents=True)
    (dead / "lock").touch()
    living = Workspaces(tmp_path)
    async with living.fresh() as directory:
        assert not dead.exists()
        async with Workspaces(tmp_path).fresh():
            assert directory.exists()
