"""GEMSS with TSM and GPFS: the contract over programs that print what the real ones print, and hostile output."""

import asyncio
import os

import pytest
from indigo_contracts.qos import Locality
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.mounted.backend import MountedBackend
from indigo_qos_gateway.adapters.mounted.gpfs import GpfsManager, Pool
from indigo_qos_gateway.adapters.mounted.tsm import TsmManager
from indigo_qos_gateway.domain.errors import Impossible
from indigo_qos_gateway.domain.storage import StepState
from indigo_testing.backend_contract import DATA, BackendContract, all_of, bring, chunked

POOLS = {"Fast": Pool("system", {}), "Large": Pool("capacity", {}), "Deep": Pool("archive", {})}
ON_DISK = dict.fromkeys(POOLS, Locality.DISK)


class MountedContract(BackendContract):
    @pytest.fixture
    def faults(self, programs):
        return {"hangs": programs.hanging, "is broken": programs.broken, "is missing": programs.missing}

    @pytest.mark.parametrize(
        "output",
        ["", "garbage", "\x1b[2J" * 100, "file name: x\nstorage pool name:", "99 99 99 z /file", "-1 0 0 m file"],
    )
    async def test_output_nobody_can_read_is_unknown(self, backend, programs, output):
        await backend.write("/file", chunked(DATA))
        with programs.saying(output):
            status = await backend.status("/file")
            assert (status.storage_class, status.locality) == ("unknown", Locality.UNAVAILABLE)
            with pytest.raises(Impossible):
                await bring(backend, "/file", self.coldest(backend))

    async def test_a_success_that_did_nothing_is_none(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        mover = "dsmmigrate" if "dsmmigrate" in programs.names else "mmchattr"
        (programs.directory / mover).write_text("#!/bin/sh\nexit 0\n")
        progress = await bring(backend, "/file", self.coldest(backend))
        assert progress.state is StepState.FAILED
        assert "still is at" in progress.error

    async def test_what_others_write_to_a_file_ends_its_record(self, backend, programs):
        await backend.write("/file", chunked(b"first"))
        target = next(each for each in self.classes if each not in {backend.landing_class, "TapeOnly"})
        await bring(backend, "/file", target)
        assert (await backend.status("/file")).sha256 == await backend.digest("/file")
        (programs.files / "file").write_bytes(b"second")
        os.utime(programs.files / "file", ns=(1, 2))
        assert (await backend.status("/file")).sha256 is None
        assert await backend.digest("/file") is not None


class TestTsm(MountedContract):
    @pytest.fixture
    def programs(self, make_programs):
        return make_programs("tsm.py", ("dsmls", "dsmmigrate", "dsmrecall"))

    @pytest.fixture
    def backend(self, programs):
        manager = TsmManager(programs.commands, programs.files, Place("CNAF", "IT"), together_seconds=0.05)
        return MountedBackend("hsm", "GEMSS", "CNAF", programs.files, manager)

    async def test_recalls_asked_for_together_mount_each_tape_once(self, backend, programs):
        paths = [f"/run/{number}" for number in range(9)]
        for path in paths:
            await backend.write(path, chunked(path.encode()))
            await bring(backend, path, "TapeOnly")
        backend._manager._together = 1.0  # until all have asked
        done = await asyncio.gather(*(bring(backend, path, "DiskAndTape") for path in paths[::-1]))
        assert {each.state for each in done} == {StepState.DONE}
        log = (programs.state / "drive.log").read_text().splitlines()
        assert sorted(line for line in log if line.startswith("mount")) == [f"mount T{n:05d}" for n in range(3)]
        assert [await all_of(backend, path) for path in paths] == [path.encode() for path in paths]

    async def test_a_recall_that_fails_is_told_to_everyone_who_waits(self, backend, programs):
        for path in ("/a", "/b"):
            await backend.write(path, chunked(DATA))
            await bring(backend, path, "TapeOnly")
        (programs.directory / "dsmrecall").write_text("#!/bin/sh\necho 'ANS9999E drive is dirty' >&2\nexit 8\n")
        backend._manager._together = 1.0
        done = await asyncio.gather(*(bring(backend, path, "DiskAndTape") for path in ("/a", "/b")))
        assert {each.error for each in done} == {"dsmrecall: ANS9999E drive is dirty"}


class TestGpfs(MountedContract):
    classes = ON_DISK

    @pytest.fixture
    def programs(self, make_programs):
        return make_programs("gpfs.py", ("mmlsattr", "mmchattr", "mmlspool"))

    @pytest.fixture
    def backend(self, programs):
        return MountedBackend(
            "hsm", "GPFS", None, programs.files, GpfsManager(programs.commands, "fs1", POOLS, "Fast", Place())
        )

    async def test_a_file_without_its_bytes_is_not_read(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        os.setxattr(programs.files / "file", "user.fake.misc", b"ARCHIVE OFFLINE")
        status = await backend.status("/file")
        assert (status.storage_class, status.locality) == ("unknown", Locality.TAPE)
        with pytest.raises(Exception, match="on tape"):
            await all_of(backend, "/file")

    async def test_a_pool_of_somebody_else_keeps_its_name(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        os.setxattr(programs.files / "file", "user.fake.pool", b"ssd")
        assert (await backend.status("/file")).storage_class == "ssd"

    async def test_blocks_that_are_elsewhere_are_no_success(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        os.setxattr(programs.files / "file", "user.fake.flags", b"illplaced")
        progress = await bring(backend, "/file", "Large")
        assert "elsewhere" in progress.error

    async def test_a_name_that_looks_like_output_is_a_name(self, backend):
        path = "/storage pool name:    archive"
        await backend.write(path, chunked(DATA))
        assert (await backend.status(path)).storage_class == "Fast"

    async def test_pools_that_are_missing_are_told(self, programs):
        pools = POOLS | {"Gone": Pool("lost", {})}
        backend = MountedBackend(
            "hsm", "GPFS", None, programs.files, GpfsManager(programs.commands, "fs1", pools, "Fast", Place())
        )
        assert (await backend.health()).notes == ("hsm: the file system has no pool lost",)
