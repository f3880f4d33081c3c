"""Many small files are migrated by processes of their own, and by this one when those are gone."""

import asyncio
import fcntl
import hashlib
import os
import socket
import subprocess
import sys
import threading
import time
from contextlib import asynccontextmanager, suppress
from multiprocessing import Pipe

import psutil
import pytest
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.posix import mover
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.adapters.posix.small_files import Storage
from indigo_qos_gateway.adapters.posix.tape import CHUNK
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.errors import ObjectNotFound
from structlog.testing import capture_logs

MANY = 64

OUTLIVED = """
import asyncio, sys
from pathlib import Path
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.posix.backend import PosixBackend

async def main(base):
    backend = PosixBackend("posix", base / "disk", base / "tape", Place())
    paths = [f"/box/{path.name}" for path in (base / "disk" / "box").iterdir()]
    await backend.begin(paths, "DiskAndTape")
    while len(await backend.ended(paths, 30)) == 0:
        pass
    print("moving", flush=True)
    await asyncio.sleep(600)

asyncio.run(main(Path(sys.argv[1])))
"""


@pytest.fixture
def box(tmp_path):
    """A directory of small files below the disk tier."""
    box = tmp_path / "disk" / "box"
    box.mkdir(parents=True)
    for number in range(MANY):
        (box / str(number)).write_bytes(str(number).encode() * 100)
    return box


@asynccontextmanager
async def storage(tmp_path):
    """With a mover that runs; `alone` has what the back-end did without it."""
    backend = PosixBackend("posix", tmp_path / "disk", tmp_path / "tape", Place("Ifca", "ES"), concurrency=1)
    warm = tmp_path / "disk" / "warm"
    warm.mkdir()
    paths = [f"/warm/{number}" for number in range(16)]
    for path in paths:
        (tmp_path / "disk" / path[1:]).write_bytes(b"warm")
    await backend.begin(paths, "DiskAndTape")
    found = await ends(backend, paths)
    assert {type(each) for each in found.values()} == {Arrived}  # nobody waited for the mover
    (mover,) = backend._groups._movers._all
    while not mover.listens:
        await asyncio.sleep(0.02)
    small, backend.alone = backend._groups._small.bring, []
    backend._groups._small.bring = lambda wishes: backend.alone.extend(wishes) or small(wishes)
    yield backend
    await backend.close()


def all_movers(of=None):
    found = []
    for each in psutil.Process(of).children():
        with suppress(psutil.Error):  # it ended meanwhile
            if mover.__name__ in " ".join(each.cmdline()):
                found.append(each)
    return found


@pytest.fixture
def movers():
    """Those of this test."""
    others = set(all_movers())
    return lambda: [each for each in all_movers() if each not in others]


def runs(process):
    try:
        return process.status() != psutil.STATUS_ZOMBIE  # whoever inherited it may leave it as one
    except psutil.NoSuchProcess:
        return False


async def ends(backend, paths):
    found = {}
    async with asyncio.timeout(60):
        while left := [path for path in paths if path not in found]:
            found |= await backend.ended(left, 1)
    return found


async def test_they_arrive_as_they_do_without_one(tmp_path, box, movers):
    paths = [f"/box/{number}" for number in range(MANY)]
    async with storage(tmp_path) as backend:
        for name in ("DiskAndTape", "DiskOnly", "TapeOnly", "DiskAndTape", "TapeOnly", "DiskOnly", "TapeOnly"):
            assert await backend.begin(paths, name) == {}
            found = await ends(backend, paths)
            assert (len(movers()), backend.alone) == (1, [])
            for number, path in enumerate(paths):
                assert isinstance(found[path], Arrived), found[path]
                assert found[path].sha256 == hashlib.sha256(str(number).encode() * 100).hexdigest()
                assert found[path].status == await backend.status(path)
                assert found[path].status.storage_class == name
                assert found[path].status.provided["cdmi_geographic_placement"] == ["ES"]
    assert movers() == []
    copies = {path.read_bytes() for path in (tmp_path / "tape").rglob("*") if path.is_file()}
    assert copies == {b"warm", *(str(number).encode() * 100 for number in range(MANY))}


async def test_what_a_mover_does_not_bring_is_told_as_without_one(tmp_path, box, movers):
    (box / "0").unlink()
    (box / "large").write_bytes(b"x" * (CHUNK + 1))
    paths = [*(f"/box/{number}" for number in range(MANY)), "/box/large"]
    async with storage(tmp_path) as backend:
        with (box / "1").open() as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            await backend.begin(paths, "DiskAndTape")
            found = await ends(backend, paths)
        assert [step.path for step in backend.alone] == ["/box/0", "/box/1", "/box/large"]
    assert isinstance(found.pop("/box/0"), ObjectNotFound)
    assert found.pop("/box/1") is None  # busy: it has to be started again
    assert {type(each) for each in found.values()} == {Arrived}
    assert found["/box/large"].sha256 == hashlib.sha256(b"x" * (CHUNK + 1)).hexdigest()


async def test_a_mover_that_is_killed_costs_nothing_but_time(tmp_path, box, movers):
    paths = [f"/box/{number}" for number in range(MANY)]
    async with storage(tmp_path) as backend:
        await backend.begin(paths[:32], "DiskAndTape")
        await ends(backend, paths[:32])
        (first,) = movers()
        first.suspend()
        await backend.begin(paths[32:], "DiskAndTape")
        assert await backend.ended(paths[32:], 0.2) == {}  # it has them
        first.kill()
        found = await ends(backend, paths[32:])
        assert {type(each) for each in found.values()} == {Arrived}
        assert {step.path for step in backend.alone} == set(paths[32:])
        await backend.begin(paths[:32], "TapeOnly")
        assert {type(each) for each in (await ends(backend, paths[:32])).values()} == {Arrived}
        assert len(movers()) == 1


async def test_a_step_that_is_cancelled_is_not_given_to_a_mover(tmp_path, box, movers):
    paths = [f"/box/{number}" for number in range(MANY)]
    async with storage(tmp_path) as backend:
        await backend.begin(paths, "DiskAndTape")
        await backend.stop(paths)
        assert {path.read_bytes() for path in (tmp_path / "tape").rglob("*/*") if path.is_file()} == {b"warm"}
    assert movers() == []


def test_movers_end_with_the_process_they_work_for(tmp_path, box):
    command = [sys.executable, "-c", OUTLIVED, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "moving\n"
        children = all_movers(process.pid)
        assert children
        process.kill()
    until = time.monotonic() + 20
    while any(runs(each) for each in children):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_mover_without_work_ends(tmp_path, box, monkeypatch):
    monkeypatch.setattr(mover, "IDLE_SECONDS", 0.05)
    ours, theirs = Pipe()
    with ours, theirs:
        ours.send(Storage(tmp_path / "disk", tmp_path / "tape", Place()))
        thread = threading.Thread(target=mover.serve, args=[theirs])
        thread.start()
        thread.join(30)
        assert not thread.is_alive()


async def test_a_mover_nobody_understands_is_not_asked_again(tmp_path, box, movers, monkeypatch):
    """As when it was started from a release that was installed while this process ran."""
    paths = [f"/box/{number}" for number in range(MANY)]
    async with storage(tmp_path) as backend:
        with monkeypatch.context() as patched:
            patched.setattr(Arrived, "__setstate__", lambda *_: 1 / 0, raising=False)
            with capture_logs() as logs:
                await backend.begin(paths, "DiskAndTape")
                found = await ends(backend, paths)
        assert {type(each) for each in found.values()} == {Arrived}
        assert movers() == []
        assert [(each["event"], each["error"][:17]) for each in logs] == [("mover.lost", "ZeroDivisionError")]


async def test_nobody_is_told_of_a_mover_that_had_no_work(tmp_path, box, movers):
    paths = [f"/box/{number}" for number in range(MANY)]
    async with storage(tmp_path) as backend:
        (left,) = backend._groups._movers._all
        with socket.socket(fileno=os.dup(left._connection.fileno())) as line:
            line.shutdown(socket.SHUT_WR)  # it ends as when there was nothing to do for long
        left._process.wait(30)
        with capture_logs() as logs:
            await backend.begin(paths, "DiskAndTape")
            found = await ends(backend, paths)
    assert {type(each) for each in found.values()} == {Arrived}
    assert logs == []


async def test_without_any_mover_the_files_arrive_as_well(tmp_path, box, monkeypatch):
    paths = [f"/box/{number}" for number in range(MANY)]
    backend = PosixBackend("posix", tmp_path / "disk", tmp_path / "tape", Place(), concurrency=1)
    monkeypatch.setattr(sys, "executable", "/bin/false")
    for some in (paths[:16], paths[16:32], paths[32:]):
        await backend.begin(some, "DiskAndTape")
        assert {type(each) for each in (await ends(backend, some)).values()} == {Arrived}
    await backend.close()
