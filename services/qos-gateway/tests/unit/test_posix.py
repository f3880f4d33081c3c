"""The POSIX back-end: the contract of all back-ends, and what only files and directories can do wrong."""

import asyncio
import os
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from indigo_contracts.qos import Locality
from indigo_kernel.problems import BadRequest, Conflict, NotFound
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.posix import tiers, tree
from indigo_qos_gateway.adapters.posix.attributes import supports_extended_attributes
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.domain.errors import StorageDamage
from indigo_qos_gateway.domain.storage import StepState
from indigo_testing.backend_contract import DATA, BackendContract, all_of, bring, chunked


def make(tmp_path: Path) -> PosixBackend:
    return PosixBackend("posix", tmp_path / "disk", tmp_path / "tape", Place("Ifca", "ES"))


def tape_files(tmp_path: Path) -> list[Path]:
    return [path for path in (tmp_path / "tape").rglob("*") if path.is_file()]


class TestPosix(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path):
        return make(tmp_path)


class TestPosixWithoutExtendedAttributes(BackendContract):
    @pytest.fixture
    def backend(self, tmp_path, monkeypatch):
        monkeypatch.setattr(tree, "supports_extended_attributes", lambda _: False)
        return make(tmp_path)

    async def test_it_says_so(self, backend):
        assert "extended attributes" in (await backend.health()).notes[0]

    async def test_no_sidecar_is_left_behind(self, backend, tmp_path):
        await backend.write("/file", chunked(DATA))
        for target in ("TapeOnly", "DiskAndTape", "DiskOnly", "TapeOnly"):
            await bring(backend, "/file", target)
        await backend.delete("/file")
        assert list((tmp_path / "disk/.indigo/attributes").iterdir()) == []
        assert tape_files(tmp_path) == []


async def test_a_stub_looks_like_one_of_a_storage_manager(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    path = tmp_path / "disk/file"
    before = path.stat()
    await bring(backend, "/file", "TapeOnly")
    stub = path.stat()
    assert (stub.st_size, stub.st_mtime_ns, stub.st_mode) == (before.st_size, before.st_mtime_ns, before.st_mode)
    assert stub.st_blocks * 512 < 64 * 1024 < stub.st_size
    assert {"user.storm.migrated", "user.storm.checksum.sha256"} <= set(os.listxattr(path))
    assert len(tape_files(tmp_path)) == 1
    await bring(backend, "/file", "DiskOnly")
    assert path.stat().st_mtime_ns == before.st_mtime_ns
    assert tape_files(tmp_path) == []


async def test_provided_attributes_are_those_of_the_observed_class(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    assert (await backend.status("/file")).provided["cdmi_data_redundancy"] == "1"
    await bring(backend, "/file", "DiskAndTape")
    provided = (await backend.status("/file")).provided
    assert (provided["cdmi_data_redundancy"], provided["cdmi_geographic_placement"]) == ("2", ["ES"])


async def test_a_stub_of_another_manager_is_on_tape_and_one_without_a_mark_is_lost(tmp_path):
    backend = make(tmp_path)
    await backend.write("/first", chunked(b"x"))
    path = tmp_path / "disk/foreign"
    with path.open("wb") as file:
        file.truncate(1 << 20)
    lost = await backend.status("/foreign")
    assert lost.locality is Locality.LOST
    assert lost.provided == {}
    assert (await bring(backend, "/foreign", "DiskOnly")).error == "/foreign is a stub without a tape copy"
    os.setxattr(path, "user.storm.migrated", b"2019-01-01T00:00:00Z")
    assert (await backend.status("/foreign")).locality is Locality.TAPE


async def test_a_file_that_was_written_to_has_no_tape_copy_any_more(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(b"first"))
    await bring(backend, "/file", "DiskAndTape")
    path = tmp_path / "disk/file"
    path.write_bytes(b"second")
    os.utime(path, ns=(1, path.stat().st_mtime_ns + 1_000_000))
    assert (await backend.status("/file")).storage_class == "DiskOnly"
    await bring(backend, "/file", "TapeOnly")
    await bring(backend, "/file", "DiskOnly")
    assert await all_of(backend, "/file") == b"second"


async def test_the_last_good_copy_is_never_given_up(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    await bring(backend, "/file", "DiskAndTape")
    (copy,) = tape_files(tmp_path)
    good = copy.read_bytes()
    copy.write_bytes(b"!" + good[1:])
    progress = await bring(backend, "/file", "TapeOnly")
    assert progress.state is StepState.FAILED
    assert "differ" in progress.error
    assert await all_of(backend, "/file") == DATA
    with pytest.raises(StorageDamage, match="differ"):
        await backend.digest("/file")
    copy.write_bytes(good)
    disk = tmp_path / "disk/file"
    before = disk.stat()
    with disk.open("r+b") as file:
        file.write(b"!")
    os.utime(disk, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (await bring(backend, "/file", "DiskOnly")).state is StepState.FAILED
    assert copy.read_bytes() == good


async def test_a_damaged_or_missing_tape_copy_is_not_recalled(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    await bring(backend, "/file", "TapeOnly")
    (copy,) = tape_files(tmp_path)
    good = copy.read_bytes()
    copy.write_bytes(good[:-1])
    assert (await bring(backend, "/file", "DiskOnly")).state is StepState.FAILED
    assert not (await backend.status("/file")).recalling
    copy.unlink()
    assert "missing" in (await bring(backend, "/file", "DiskOnly")).error
    copy.write_bytes(good)
    assert (await bring(backend, "/file", "DiskOnly")).state is StepState.DONE
    assert await all_of(backend, "/file") == DATA


@pytest.fixture
def secret(tmp_path):
    directory = tmp_path / "outside"
    directory.mkdir()
    (directory / "secret").write_bytes(b"secret")
    return directory


async def test_links_lead_nowhere(tmp_path, secret):
    backend = make(tmp_path)
    await backend.write("/box/file", chunked(b"x"))
    disk = tmp_path / "disk"
    (disk / "link").symlink_to(secret / "secret")
    (disk / "box/way").symlink_to(secret)
    os.mkfifo(disk / "pipe")
    for path in ("/link", "/box/way", "/box/way/secret", "/pipe"):
        with pytest.raises(NotFound):
            await backend.status(path)
        with pytest.raises(NotFound):
            await all_of(backend, path)
    for path in ("/link", "/box/way/new"):
        with pytest.raises(Conflict):
            await backend.write(path, chunked(b"overwritten"))
    assert (secret / "secret").read_bytes() == b"secret"
    assert sorted(path.name for path in secret.iterdir()) == ["secret"]
    assert [each.name for each in await backend.children("/")] == ["box"]
    assert [each.name for each in await backend.children("/box")] == ["file"]


async def test_the_hidden_directory_is_not_part_of_the_tree(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(b"x"))
    with pytest.raises(BadRequest):
        await backend.status("/.indigo")
    with pytest.raises(BadRequest):
        await backend.write("/.indigo/x", chunked(b"x"))
    assert (await backend.write("/box/.indigo", chunked(b"x"))).size == 1


async def test_closing_stops_what_runs(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    await backend.start("/file", "TapeOnly")
    await backend.close()
    assert await backend.digest("/file")


def open_files():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_reader_who_goes_while_the_file_is_opened_leaves_nothing_open(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    before, opening, go_on = open_files(), threading.Event(), threading.Event()
    check = backend._files._check_readable

    def slowly(path, fd):
        opening.set()
        go_on.wait(10)
        check(path, fd)

    backend._files._check_readable = slowly
    reader = asyncio.create_task(all_of(backend, "/file"))
    await asyncio.to_thread(opening.wait, 10)
    reader.cancel()
    await asyncio.wait([reader])
    go_on.set()
    async with asyncio.timeout(10):
        while open_files() != before:
            await asyncio.sleep(0.01)


async def test_files_come_and_go_in_threads_of_the_back_end(tmp_path, monkeypatch):
    backend = make(tmp_path)
    await backend.write("/first", chunked(b"x"))
    threads = []

    def noted(call):
        def called(*arguments, **options):
            threads.append(threading.current_thread())
            return call(*arguments, **options)

        return called

    monkeypatch.setattr(os, "open", noted(os.open))
    monkeypatch.setattr(os, "unlink", noted(os.unlink))
    await backend.write("/file", chunked(DATA))
    assert threads
    assert threading.main_thread() not in threads


async def test_nobody_waits_for_checksums_of_large_files_to_hear_what_an_object_is(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    begun, ended = threading.Semaphore(0), threading.Semaphore(0)

    def read_for_ever(path, watch):
        begun.release()
        try:
            while True:
                watch()
                time.sleep(0.001)
        finally:
            ended.release()

    backend._tiers.digest = read_for_ever
    digests = [asyncio.create_task(backend.digest("/file")) for _ in range(20)]
    assert await asyncio.to_thread(begun.acquire, timeout=10)
    async with asyncio.timeout(10):
        assert (await backend.status("/file")).size == len(DATA)
    for each in digests:
        each.cancel()
    await asyncio.wait(digests)
    assert await asyncio.to_thread(ended.acquire, timeout=10), "the reading goes on for nobody"
    await backend.close()


async def test_a_file_system_that_does_not_answer_is_told(tmp_path):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA))
    released = threading.Event()
    backend._threads._seconds = 0.1
    backend._check = lambda: released.wait(60)
    health = await backend.health()
    released.set()
    assert (health.usable, health.notes) == (False, ("posix: the file system does not answer",))


async def test_tiers_that_cannot_be_used_are_told(tmp_path):
    (tmp_path / "disk").write_bytes(b"a file")
    assert not (await make(tmp_path).health()).usable


def test_processes_that_begin_at_the_same_time_do_not_disturb_each_other(tmp_path):
    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(supports_extended_attributes, [tmp_path] * 2000)) == {True}


@pytest.mark.parametrize("name", ["../../secret", "/etc/hostname", "..", "", "x" * 36])
async def test_a_file_cannot_name_what_is_no_tape_copy(tmp_path, name):
    """Who can write to a file can give it any attributes."""
    backend = make(tmp_path)
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    await backend.write("/file", chunked(b"x"))
    path = tmp_path / "disk/file"
    (tmp_path / "tape/et").mkdir()
    with path.open("wb") as file:
        file.truncate(6)
    for attribute, value in (("indigo.stub", "1"), ("storm.migrated", "1"), ("indigo.copy", name)):
        os.setxattr(path, f"user.{attribute}", value.encode())
    assert (await bring(backend, "/file", "DiskOnly")).state is StepState.FAILED
    await backend.delete("/file")
    assert secret.read_bytes() == b"secret"


@pytest.mark.parametrize("copied", [os.link, shutil.copy2], ids=["linked", "copied"])
@pytest.mark.parametrize("change", ["deleted", "replaced", "taken from tape", "written to and brought to tape"])
async def test_a_copy_of_a_file_with_its_attributes_never_takes_the_files_tape_copy(tmp_path, copied, change):
    """``cp -a`` takes the name of the tape copy along, and so does a hard link."""
    backend = make(tmp_path)
    first, second = tmp_path / "disk/first", tmp_path / "disk/second"
    await backend.write("/first", chunked(DATA))
    await bring(backend, "/first", "DiskAndTape")
    copied(first, second)
    await bring(backend, "/first", "TapeOnly")
    match change:
        case "deleted":
            await backend.delete("/second")
        case "replaced":
            await backend.write("/second", chunked(b"other"))
        case "taken from tape":
            assert (await bring(backend, "/second", "DiskOnly")).state is StepState.DONE
        case _:
            await bring(backend, "/second", "DiskOnly")
            second.write_bytes(b"other")
            assert (await bring(backend, "/second", "TapeOnly")).state is StepState.DONE
            assert (await bring(backend, "/second", "DiskOnly")).state is StepState.DONE
            assert await all_of(backend, "/second") == b"other"
    assert (await bring(backend, "/first", "DiskOnly")).state is StepState.DONE
    assert await all_of(backend, "/first") == DATA
    await backend.close()


async def test_a_file_with_another_name_keeps_its_tape_copy_when_one_is_deleted(tmp_path):
    backend = make(tmp_path)
    await backend.write("/first", chunked(DATA))
    await bring(backend, "/first", "TapeOnly")
    (tmp_path / "disk/second").hardlink_to(tmp_path / "disk/first")
    await backend.delete("/first")
    assert (await bring(backend, "/second", "DiskOnly")).state is StepState.DONE
    assert await all_of(backend, "/second") == DATA
    await backend.delete("/second")
    assert tape_files(tmp_path) == []


async def test_what_others_write_while_the_copies_are_compared_is_not_given_up(tmp_path, monkeypatch):
    backend = make(tmp_path)
    await backend.write("/file", chunked(DATA * 2))
    await bring(backend, "/file", "DiskAndTape")

    def written_to(chunks):
        digest = real(chunks)
        with (tmp_path / "disk/file").open("r+b") as file:
            file.write(b"new")
        return digest

    real = tiers._digest
    monkeypatch.setattr(tiers, "_digest", written_to)
    progress = await bring(backend, "/file", "TapeOnly")
    assert (progress.state, progress.error) == (StepState.FAILED, "/file was written to while it was copied")
    assert await all_of(backend, "/file", 0, 3) == b"new"


@pytest.mark.parametrize("name", ["user.storm.migrated", "user.storm.checksum.sha256", "user.indigo.copy"])
async def test_attributes_others_gave_a_file_need_be_no_text(tmp_path, name):
    backend = make(tmp_path)
    await backend.write("/file", chunked(b"x"))
    os.setxattr(tmp_path / "disk/file", name, b"\xff\x00")
    assert (await backend.status("/file")).size == 1
    assert await all_of(backend, "/file") == b"x"
    await backend.delete("/file")
