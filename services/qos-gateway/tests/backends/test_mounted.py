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

    async def test_a_file_that_names_a_tape_copy_can_be_deleted(self, backend, programs):
        """Anybody who can write to a file can set its attributes."""
        await backend.write("/file", chunked(b"x"))
        os.setxattr(programs.files / "file", "user.indigo.copy", b"anything")
        await backend.delete("/file")
        assert list((programs.files / ".indigo/work").iterdir()) == []

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

    async def test_bytes_that_rot_are_found_and_never_go_on_record(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        target = next(each for each in self.classes if each not in {backend.landing_class, "TapeOnly"})
        await bring(backend, "/file", target)
        sha256 = (await backend.status("/file")).sha256
        before = (programs.files / "file").stat()
        (programs.files / "file").write_bytes(DATA[:-1] + b"!")
        os.utime(programs.files / "file", ns=(before.st_atime_ns, before.st_mtime_ns))
        (further,) = set(self.classes) - {backend.landing_class, target}
        progress = await bring(backend, "/file", further)
        assert progress.state is StepState.FAILED
        assert f"{sha256} was written" in progress.error
        assert (await backend.status("/file")).sha256 == sha256

    async def test_a_file_written_to_while_it_is_read_is_started_again(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        read = backend._files.read

        async def disturbed(path, start, stop):
            async for chunk in read(path, start, stop):
                yield chunk
            os.utime(programs.files / "file", ns=(1, 2))

        backend._files.read = disturbed
        assert (await bring(backend, "/file", self.coldest(backend))).state is StepState.UNKNOWN
        assert (await backend.status("/file")).sha256 is None


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
        backend._manager._recalls.seconds = 1.0  # until all have asked
        done = await asyncio.gather(*(bring(backend, path, "DiskAndTape") for path in paths[::-1]))
        assert {each.state for each in done} == {StepState.DONE}
        log = (programs.state / "drive.log").read_text().splitlines()
        assert sorted(line for line in log if line.startswith("mount")) == [f"mount T{n:05d}" for n in range(3)]
        assert [await all_of(backend, path) for path in paths] == [path.encode() for path in paths]

    async def test_closing_ends_the_recall_that_runs(self, backend, programs):
        await backend.write("/file", chunked(DATA))
        await bring(backend, "/file", "TapeOnly")
        started = programs.state / "started"
        (programs.directory / "dsmrecall").write_text(
            f"#!/bin/sh\necho $$ > {started}.new\nmv {started}.new {started}\nsleep 600\n"
        )
        await backend.start("/file", "DiskAndTape")
        async with asyncio.timeout(10):
            while not started.exists():
                await asyncio.sleep(0.01)
            await backend.close()
        with pytest.raises(ProcessLookupError):
            os.kill(int(started.read_text()), 0)

    async def test_one_file_that_fails_fails_no_other_of_its_round(self, backend, programs):
        for path in ("/fine", "/torn"):
            await backend.write(path, chunked(DATA))
            await bring(backend, path, "TapeOnly")
        copy = os.getxattr(programs.files / "torn", "user.fake.copy").decode()
        (programs.state / "copies" / copy).unlink()
        backend._manager._recalls.seconds = 1.0
        fine, torn = await asyncio.gather(*(bring(backend, path, "DiskAndTape") for path in ("/fine", "/torn")))
        assert (fine.state, torn.state) == (StepState.DONE, StepState.FAILED)
        assert "dsmrecall: ANS9999E" in torn.error

    async def test_a_recall_that_fails_is_told_to_everyone_who_waits(self, backend, programs):
        for path in ("/a", "/b"):
            await backend.write(path, chunked(DATA))
            await bring(backend, path, "TapeOnly")
        (programs.directory / "dsmrecall").write_text("#!/bin/sh\necho 'ANS9999E drive is dirty' >&2\nexit 8\n")
        backend._manager._recalls.seconds = 1.0
        done = await asyncio.gather(*(bring(backend, path, "DiskAndTape") for path in ("/a", "/b")))
        assert {each.error for each in done} == {"dsmrecall: ANS9999E drive is dirty"}


class TestGpfs(MountedContract):
    classes = ON_DISK

    @pytest.fixture
    def programs(self, make_programs):
        return make_programs("gpfs.py", ("mmlsattr", "mmchattr", "mmlspool", "mmapplypolicy"))

    @pytest.fixture
    def backend(self, programs):
        manager = GpfsManager(programs.commands, "fs1", POOLS, "Fast", Place(), together_seconds=0.01)
        return MountedBackend("hsm", "GPFS", None, programs.files, manager)

    async def together(self, backend, paths, target):
        """Bring them when all have asked."""
        for path in paths:
            await backend.write(path, chunked(DATA))
        backend._manager._rounds[POOLS[target].name].seconds = 1.0
        return await asyncio.gather(*(bring(backend, path, target) for path in paths))

    async def test_files_asked_for_together_are_one_policy_run(self, backend, programs):
        paths = [
            f"/run/{name}" for name in ("a", "it's", "100%", "-rf", "d'); DELETE", "`m4'", "é ü", "define(x)")
        ]
        done = await self.together(backend, paths, "Deep")
        assert {each.state for each in done} == {StepState.DONE}
        assert {(await backend.status(path)).storage_class for path in paths} == {"Deep"}
        assert (programs.state / "runs.log").read_text() == f"{len(paths)} {len(paths)} {len(paths)}\n"

    async def test_names_no_list_can_hold_are_moved_one_by_one(self, backend, programs):
        paths = ["/a", "/b", "/back\\nslash", "/new\nline"]
        done = await self.together(backend, paths, "Large")
        assert {each.state for each in done} == {StepState.DONE}
        assert (programs.state / "runs.log").read_text() == "2 2 2\n"

    async def test_one_that_cannot_be_moved_fails_and_the_others_do_not(self, backend, programs):
        await backend.write("/stuck", chunked(DATA))
        os.setxattr(programs.files / "stuck", "user.fake.immovable", b"1")
        backend._manager._rounds["capacity"].seconds = 1.0
        await backend.write("/fine", chunked(DATA))
        stuck, fine = await asyncio.gather(*(bring(backend, path, "Large") for path in ("/stuck", "/fine")))
        assert "mmapplypolicy: [E] Error on gpfs_fcntl" in stuck.error
        assert fine.state is StepState.DONE

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
        assert (await backend.status("/file")).storage_class == "unknown"
        progress = await bring(backend, "/file", "Large")
        assert progress.error == "/file still is at unknown after it was brought to Large"
        os.removexattr(programs.files / "file", "user.fake.flags")
        assert (await bring(backend, "/file", "Large")).state is StepState.DONE

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
