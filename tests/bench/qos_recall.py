"""Recalls from tape through the TSM back-end: one file after another, and asked for together.

The library is emulated: a mount takes 90 s and winding 0.5 s for each copy between two, which are counted and not
waited for. The programs, the lists and the files are real.
"""

from __future__ import annotations

import asyncio
import random
import shutil
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.commands import Commands
from indigo_qos_gateway.adapters.mounted.backend import MountedBackend
from indigo_qos_gateway.adapters.mounted.tsm import TsmManager
from indigo_qos_gateway.domain.storage import StepState
from indigo_testing.fakes.programs import install

FILES = 40
TAPES = 5
MOUNT_SECONDS = 90.0
WIND_SECONDS = 0.5


async def one(data: bytes) -> AsyncIterator[bytes]:
    yield data


async def bring(backend: MountedBackend, path: str, target: str) -> None:
    progress = await backend.poll(path, await backend.start(path, target), 600.0)
    if progress.state is not StepState.DONE:
        raise RuntimeError(f"{path}: {progress}")


async def recall(directory: Path, *, together: bool) -> tuple[int, float]:
    """Mounts and seconds of the emulated drive for one recall of every file, in an order nobody chose."""
    files, state = directory / "fs", directory / "state"
    files.mkdir(parents=True)
    install(directory / "bin", "tsm.py", ("dsmls", "dsmmigrate", "dsmrecall"), state)
    (state / "tapes").write_text(str(TAPES))
    commands = Commands("tsm", directory / "bin")
    # The window is long enough for every request to come, as it is where tapes are slow.
    manager = TsmManager(commands, files, Place(), together_seconds=5.0 if together else 0.0)
    backend = MountedBackend("tsm", "GEMSS", None, files, manager)
    paths = [f"/run/{number:03d}" for number in range(FILES)]
    for path in paths:
        await backend.write(path, one(path.encode()))
    for path in paths:  # one after another: it decides which tape each copy is on
        await bring(backend, path, "TapeOnly")
    random.Random(20260101).shuffle(paths)
    if together:
        await asyncio.gather(*(bring(backend, path, "DiskAndTape") for path in paths))
    else:
        for path in paths:
            await bring(backend, path, "DiskAndTape")
    await backend.close()
    log = [line.split() for line in (state / "drive.log").read_text().splitlines()]
    mounts = sum(1 for what, _ in log if what == "mount")
    wound = sum(int(value) for what, value in log if what == "seek")
    return mounts, mounts * MOUNT_SECONDS + wound * WIND_SECONDS


def run() -> list[tuple[str, str]]:
    figures = []
    for name, together in (("one after another", False), ("together, in the order of the tapes", True)):
        directory = Path(tempfile.mkdtemp(prefix="indigo-bench-"))
        try:
            mounts, seconds = asyncio.run(recall(directory, together=together))
        finally:
            shutil.rmtree(directory)
        figures.append((f"recall of {FILES} files on {TAPES} tapes, {name}", f"{mounts} mounts, {seconds:.0f} s"))
    return figures


if __name__ == "__main__":
    for what, figure in run():
        print(what, figure)
