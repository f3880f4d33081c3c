"""A process that dies at any point of a relocation: nothing is lost, nothing is doubled, the end is told once."""

import itertools
import shutil
from contextlib import contextmanager
from datetime import timedelta

import pytest
from indigo_kernel.db.uow import UnitOfWork
from indigo_qos_gateway.adapters.posix.backend import PosixBackend

DATA = bytes(range(256)) * 2000
ACTIONS = ("write", "delete", "status", "digest", "start", "poll", "make_container")


class Dead(BaseException):
    """The process is gone: nothing in it goes on, and nothing in it cleans up."""


class Life:
    """Counts what a process does to its storage and its database; it dies at a given count, or never."""

    def __init__(self):
        self.left = None
        self.count = 0

    def tick(self):
        if self.left is not None:
            if self.left == 0:
                raise Dead
            self.left -= 1
            self.count += 1

    @contextmanager
    def limited(self, ticks):
        self.left, self.count = ticks, 0
        try:
            yield
        finally:
            self.left = None


@pytest.fixture
def life(monkeypatch):
    life = Life()

    def mortal(cls, name):
        real = getattr(cls, name)

        async def act(self, *args, **kwargs):
            life.tick()
            done = await real(self, *args, **kwargs)
            life.tick()  # done, and nobody was told
            return done

        monkeypatch.setattr(cls, name, act)

    for name in ACTIONS:
        mortal(PosixBackend, name)
    mortal(UnitOfWork, "_commit")
    return life


async def finish(qos, path):
    """What happens after a restart until the object is where it shall be."""
    for _ in range(10):
        qos.clock.advance(timedelta(minutes=2))
        await qos.work_off()
        (newest, *_) = (await qos.http.get("/api/transitions", params={"path": path})).json()["items"]
        if newest["state"] not in {"SUBMITTED", "STARTED"} and not await qos.rows("SELECT * FROM jobs"):
            return newest
    raise AssertionError(f"it does not end: {newest}")


@pytest.mark.parametrize("stride", [13, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("source", "target"),
    [("DiskOnly", "far.DiskOnly"), ("TapeOnly", "far.TapeOnly"), ("far.DiskAndTape", "DiskOnly")],
)
async def test_a_process_that_dies_anywhere(start_qos, two, kept, life, tmp_path, source, target, stride):
    """With a stride of 1 it dies before and after everything it does to its storage and its database."""
    points = 0
    for ticks in itertools.count(0, stride):
        for each in ("disk", "tape", "far"):
            shutil.rmtree(tmp_path / each, ignore_errors=True)
        async with start_qos(**two) as qos:
            await qos.store("/box/f", DATA)
            if source != "DiskOnly":
                await qos.bring("/box/f", source)
            asked = await qos.change("/box/f", f"/cdmi_capabilities/dataobject/{target}")
            assert asked.status_code == 204
            identifier = (await qos.cdmi("/box/f"))["objectID"]
            with life.limited(ticks):
                await qos.work_off()
                points = life.count
        async with start_qos(**two, keep=True) as qos:
            found = await qos.cdmi("/box/f")
            assert found["objectID"] == identifier
            assert (await qos.cdmi("/box"))["children"] == ["f"]
            ended = await finish(qos, "/box/f")
            assert ended["state"] == "COMPLETED", ended
            assert (await qos.cdmi("/box/f"))["objectID"] == identifier
            assert (await qos.cdmi("/box/f"))["capabilitiesURI"].endswith(f"/{target}")
            if "Tape" not in target:
                read = await qos.http.get("/box/f", headers=qos.auth() | {"accept": "application/octet-stream"})
                assert read.content == DATA
            files = [data for there in kept().values() for data in there.values()]
            assert len(files) == 1
            assert await qos.rows("SELECT * FROM relocations") == []
            told = [name for name, each in await qos.facts() if each["transition_id"] == ended["transition_id"]]
            assert told == ["requested", "completed"]
        if points < ticks:
            break
    assert points > 30
