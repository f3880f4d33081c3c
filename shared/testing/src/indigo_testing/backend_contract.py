"""What every storage back-end of the gateway must do, written once and inherited by each one's tests.

A subclass overrides the fixture ``backend`` (a fresh, empty ``indigo_qos_gateway.application.ports.Backend`` that
offers ``DiskOnly``, ``DiskAndTape`` and ``TapeOnly``) and ``damage_disk`` where it can reach the bytes.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator
from itertools import permutations

import pytest
from indigo_contracts.qos import Locality
from indigo_kernel.problems import BadRequest, ChecksumMismatch, Conflict, NotFound, Unavailable
from indigo_qos_gateway.application.ports import Backend
from indigo_qos_gateway.domain.storage import Content, ObjectType, Progress, StepState

PATIENCE = 20.0
"""Seconds after which a step is taken not to end."""

CLASSES = {
    "DiskOnly": Locality.DISK,
    "DiskAndTape": Locality.DISK_AND_TAPE,
    "TapeOnly": Locality.TAPE,
}
DATA = bytes(range(256)) * 5000


async def chunked(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def all_of(backend: Backend, path: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in backend.read(path, start, stop)])


async def bring(backend: Backend, path: str, target: str) -> Progress:
    """Change the class of one object and wait for the end."""
    handle = await backend.start(path, target)
    return await backend.poll(path, handle, PATIENCE)


class BackendContract:
    """The tests."""

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    async def test_it_offers_the_same_classes_for_objects_and_containers(self, backend: Backend) -> None:
        for object_type in ObjectType:
            offered = {each.name: each for each in backend.classes() if each.object_type is object_type}
            assert set(offered) == set(CLASSES)
            for name, each in offered.items():
                assert name not in each.allowed
                assert set(each.allowed) <= set(offered)
                assert all(isinstance(value, str | list) for value in each.metadata.values())
        assert backend.landing_class in CLASSES

    async def test_what_is_written_is_read_back_whole_and_in_parts(self, backend: Backend) -> None:
        content = await backend.write("/a/b/data", chunked(DATA))
        assert content == Content(len(DATA), hashlib.sha256(DATA).hexdigest())
        assert await all_of(backend, "/a/b/data") == DATA
        assert await all_of(backend, "/a/b/data", 10, 300_000) == DATA[10:300_000]
        assert await all_of(backend, "/a/b/data", len(DATA) - 3) == DATA[-3:]
        assert await all_of(backend, "/a/b/data", len(DATA) + 3) == b""
        status = await backend.status("/a/b/data")
        assert (status.object_type, status.size) == (ObjectType.DATAOBJECT, len(DATA))
        assert status.storage_class == backend.landing_class
        assert [(each.name, each.object_type) for each in await backend.children("/a")] == [
            ("b", ObjectType.CONTAINER)
        ]

    async def test_bytes_that_are_not_the_expected_ones_leave_nothing(self, backend: Backend) -> None:
        with pytest.raises(ChecksumMismatch):
            await backend.write("/wrong", chunked(DATA), Content(len(DATA), "0" * 64))
        with pytest.raises(NotFound):
            await backend.status("/wrong")
        await backend.write("/kept", chunked(b"old"))
        with pytest.raises(ChecksumMismatch):
            await backend.write("/kept", chunked(b"new"), Content(4, hashlib.sha256(b"new").hexdigest()))
        assert await all_of(backend, "/kept") == b"old"

    async def test_a_stream_that_breaks_leaves_the_old_bytes(self, backend: Backend) -> None:
        async def broken() -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionError("gone")

        await backend.write("/kept", chunked(b"old"))
        with pytest.raises(ConnectionError):
            await backend.write("/kept", broken())
        assert await all_of(backend, "/kept") == b"old"

    async def test_nothing_is_not_found(self, backend: Backend) -> None:
        with pytest.raises(NotFound):
            await backend.status("/nothing")
        with pytest.raises(NotFound):
            await all_of(backend, "/nothing")
        with pytest.raises(NotFound):
            await backend.children("/nothing")
        with pytest.raises(NotFound):
            await backend.delete("/nothing")
        handle = await backend.start("/nothing", "DiskAndTape")
        assert (await backend.poll("/nothing", handle, PATIENCE)).state is StepState.FAILED

    @pytest.mark.parametrize("path", ["/../out", "/box/../../out", "/box/./x", "//x", "/box//x"])
    async def test_no_path_leads_out(self, backend: Backend, path: str) -> None:
        await backend.write("/box/file", chunked(b"x"))
        with pytest.raises(BadRequest):
            await backend.write(path, chunked(b"x"))
        with pytest.raises(BadRequest):
            await backend.status(path)

    async def test_objects_and_containers_do_not_replace_each_other(self, backend: Backend) -> None:
        await backend.write("/object", chunked(b"x"))
        assert await backend.make_container("/box") is True
        assert await backend.make_container("/box") is False
        with pytest.raises(Conflict):
            await backend.make_container("/object")
        with pytest.raises(Conflict):
            await backend.write("/box", chunked(b"x"))
        with pytest.raises(Conflict):
            await backend.write("/object/below", chunked(b"x"))
        assert await all_of(backend, "/object") == b"x"

    @pytest.mark.parametrize(("source", "target"), list(permutations(CLASSES, 2)))
    @pytest.mark.parametrize("data", [DATA, b"tiny", b""], ids=["large", "tiny", "empty"])
    async def test_every_class_can_become_every_other(
        self, backend: Backend, source: str, target: str, data: bytes
    ) -> None:
        await backend.write("/file", chunked(data))
        sha256 = hashlib.sha256(data).hexdigest()
        for name in (source, target):
            if (await backend.status("/file")).storage_class != name:
                assert await bring(backend, "/file", name) == Progress(StepState.DONE)
            status = await backend.status("/file")
            assert (status.storage_class, status.locality) == (name, CLASSES[name])
            assert status.size == len(data)
            assert await backend.digest("/file") == sha256
            if name == "TapeOnly":
                with pytest.raises(Unavailable, match="tape"):
                    await all_of(backend, "/file")
                assert (await backend.status("/file")).storage_class == "TapeOnly"  # reading recalled nothing
            else:
                assert await all_of(backend, "/file") == data

    async def test_what_is_at_its_class_stays(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA))
        for _ in range(2):
            assert (await bring(backend, "/file", "TapeOnly")).state is StepState.DONE
        assert (await backend.status("/file")).storage_class == "TapeOnly"

    async def test_new_bytes_begin_at_the_landing_class_and_the_old_copy_is_never_read(
        self, backend: Backend
    ) -> None:
        await backend.write("/file", chunked(b"old bytes"))
        await bring(backend, "/file", "TapeOnly")
        await backend.write("/file", chunked(b"new"))
        status = await backend.status("/file")
        assert (status.storage_class, status.size) == (backend.landing_class, 3)
        await bring(backend, "/file", "TapeOnly")
        await bring(backend, "/file", "DiskOnly")
        assert await all_of(backend, "/file") == b"new"

    async def test_a_container_has_a_class_of_its_own(self, backend: Backend) -> None:
        await backend.write("/box/file", chunked(b"x"))
        assert (await bring(backend, "/box", "TapeOnly")).state is StepState.DONE
        assert (await backend.status("/box")).storage_class == "TapeOnly"
        assert (await backend.status("/box/file")).storage_class == backend.landing_class

    async def test_a_container_goes_with_everything_in_it(self, backend: Backend) -> None:
        for path in ("/box/a", "/box/deep/b", "/boxer"):
            await backend.write(path, chunked(b"x"))
        await bring(backend, "/box/a", "TapeOnly")
        await backend.delete("/box")
        with pytest.raises(NotFound):
            await backend.status("/box/a")
        assert [each.name for each in await backend.children("/")] == ["boxer"]

    async def test_starting_twice_is_one_step_and_another_target_is_refused(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA))
        first = await backend.start("/file", "TapeOnly")
        assert await backend.start("/file", "TapeOnly") == first
        with pytest.raises(Conflict):
            await backend.start("/file", "DiskAndTape")
        assert (await backend.poll("/file", first, PATIENCE)).state is StepState.DONE

    async def test_a_cancelled_step_leaves_the_object_readable(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA))
        handle = await backend.start("/file", "DiskAndTape")
        await backend.cancel("/file", handle)
        assert (await backend.poll("/file", handle, 0)).state is StepState.UNKNOWN
        assert (await backend.status("/file")).storage_class in {"DiskOnly", "DiskAndTape"}
        assert await all_of(backend, "/file") == DATA
        assert (await bring(backend, "/file", "TapeOnly")).state is StepState.DONE

    async def test_a_handle_nobody_knows_is_unknown(self, backend: Backend) -> None:
        await backend.write("/file", chunked(b"x"))
        assert (await backend.poll("/file", "of an earlier process", 0)).state is StepState.UNKNOWN
        await backend.cancel("/file", "of an earlier process")

    async def test_a_reader_is_not_disturbed_by_the_file_going_to_tape(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA * 4))
        reader = backend.read("/file")
        begun = await anext(reader)
        assert (await bring(backend, "/file", "TapeOnly")).state is StepState.DONE
        assert begun + b"".join([chunk async for chunk in reader]) == DATA * 4

    async def test_readers_see_old_or_new_bytes_never_a_mixture(self, backend: Backend) -> None:
        versions = [bytes([n]) * 300_000 for n in range(4)]
        await backend.write("/file", chunked(versions[0]))
        over = asyncio.Event()

        async def reading() -> int:
            times = 0
            while not over.is_set() or not times:
                assert await all_of(backend, "/file") in versions
                times += 1
            return times

        readers = [asyncio.create_task(reading()) for _ in range(3)]
        for version in versions[1:]:
            await backend.write("/file", chunked(version, 50_000))
        over.set()
        assert all(await asyncio.gather(*readers))

    async def test_it_is_healthy(self, backend: Backend) -> None:
        assert (await backend.health()).usable
