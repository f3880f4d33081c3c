"""What every storage back-end of the gateway must do, written once and inherited by each one's tests.

A subclass overrides the fixture ``backend`` with a fresh, empty ``indigo_qos_gateway.application.ports.Backend``,
``classes`` when it offers others than the three of a disk with a tape behind it, ``faults`` with the ways in which
the storage behind it can fail, and ``force`` for classes that only the storage itself brings objects to.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractContextManager

import pytest
from indigo_contracts.qos import Locality
from indigo_kernel.problems import BadRequest, ChecksumMismatch, Conflict, NotFound, Unavailable
from indigo_qos_gateway.application.paging import Paged
from indigo_qos_gateway.application.ports import Backend
from indigo_qos_gateway.domain.errors import Impossible
from indigo_qos_gateway.domain.storage import Child, Content, ObjectType, Progress, StepState

PATIENCE = 20.0
"""Seconds after which a step is taken not to end."""

TAPE_CLASSES = {
    "DiskOnly": Locality.DISK,
    "DiskAndTape": Locality.DISK_AND_TAPE,
    "TapeOnly": Locality.TAPE,
}
DATA = bytes(range(256)) * 5000

Faults = Mapping[str, Callable[[], AbstractContextManager[None]]]
"""Ways in which a storage fails, by name: each lasts as long as its context."""


async def chunked(data: bytes, size: int = 100_000) -> AsyncIterator[bytes]:
    for at in range(0, len(data), size):
        yield data[at : at + size]


async def all_of(backend: Backend, path: str, start: int = 0, stop: int | None = None) -> bytes:
    return b"".join([chunk async for chunk in backend.read(path, start, stop)])


async def bring(backend: Backend, path: str, target: str) -> Progress:
    """Change the class of one object and wait for the end."""
    handle = await backend.start(path, target)
    async with asyncio.timeout(PATIENCE):
        while True:
            progress = await backend.poll(path, handle, 0.2)
            if progress.state is not StepState.RUNNING:
                return progress


async def pages(backend: Paged, path: str, size: int) -> list[Child]:
    """The entries of a container, asked for in parts of so many."""
    found: list[Child] = []
    while part := await backend.page(path, len(found), size):
        found += part
    return found


def ways(backend: Backend) -> dict[str, tuple[str, ...]]:
    """The classes an object may go to, by the class it is at."""
    return {each.name: each.allowed for each in backend.classes() if each.object_type is ObjectType.DATAOBJECT}


def route(backend: Backend, target: str) -> list[str] | None:
    """The classes on the shortest way from the landing class; ``None`` when there is none."""
    allowed = ways(backend)
    routes: list[list[str]] = [[backend.landing_class]]
    seen = {backend.landing_class}
    for here in routes:
        if here[-1] == target:
            return here[1:]
        for name in allowed[here[-1]]:
            if name not in seen:
                seen.add(name)
                routes.append([*here, name])
    return None


class BackendContract:
    """The tests."""

    classes: Mapping[str, Locality] = TAPE_CLASSES

    @pytest.fixture
    def backend(self) -> Backend:
        raise NotImplementedError

    @pytest.fixture
    def faults(self, backend: Backend) -> Faults:  # noqa: ARG002 - for those that override it
        return {}

    async def force(self, backend: Backend, path: str, name: str) -> None:
        """Have the storage itself bring an object to a class nobody can ask for."""
        raise NotImplementedError(f"{backend.name} gives no way to {name}: {path}")

    async def reach(self, backend: Backend, path: str, name: str) -> None:
        """Bring a fresh object to a class, by the storage itself where it offers no way."""
        steps = route(backend, name)
        if steps is None:
            await self.force(backend, path, name)
            return
        for each in steps:
            assert await bring(backend, path, each) == Progress(StepState.DONE)

    def coldest(self, backend: Backend) -> str:
        """A class other than the landing class that can be asked for, on tape when there is one."""
        there = list(ways(backend)[backend.landing_class])
        return next((name for name in there if self.classes[name] is Locality.TAPE), there[0])

    async def test_it_offers_the_same_classes_for_objects_and_containers(self, backend: Backend) -> None:
        for object_type in ObjectType:
            offered = {each.name: each for each in backend.classes() if each.object_type is object_type}
            assert set(offered) == set(self.classes)
            for name, each in offered.items():
                assert name not in each.allowed
                assert set(each.allowed) <= set(offered)
                assert all(isinstance(value, str | list) for value in each.metadata.values())
        assert backend.landing_class in self.classes

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
        with pytest.raises((NotFound, Impossible)):  # said at once, or found out by the step
            raise NotFound((await bring(backend, "/nothing", self.coldest(backend))).error or "")

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

    @pytest.mark.parametrize("data", [DATA, b"tiny", b""], ids=["large", "tiny", "empty"])
    async def test_every_way_between_classes_can_be_gone_and_no_other(self, backend: Backend, data: bytes) -> None:
        sha256 = hashlib.sha256(data).hexdigest()
        for source, allowed in ways(backend).items():
            for target in self.classes:
                if target == source:
                    continue
                path = f"/{source}/{target}"
                await backend.write(path, chunked(data))
                await self.reach(backend, path, source)
                await self._is(backend, path, source, data, sha256)
                if target in allowed:
                    assert await bring(backend, path, target) == Progress(StepState.DONE)
                    await self._is(backend, path, target, data, sha256)
                else:
                    with pytest.raises(Impossible):
                        await bring(backend, path, target)
                    await self._is(backend, path, source, data, sha256)

    async def _is(self, backend: Backend, path: str, name: str, data: bytes, sha256: str) -> None:
        status = await backend.status(path)
        assert (status.storage_class, status.locality) == (name, self.classes[name])
        assert status.size == len(data)
        if status.readable:
            assert await backend.digest(path) == sha256
            assert await all_of(backend, path) == data
            return
        assert await backend.digest(path) in {sha256, None}
        with pytest.raises(Unavailable, match="tape"):
            await all_of(backend, path)
        assert (await backend.status(path)).storage_class == name  # reading recalled nothing

    async def test_what_is_at_its_class_stays(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA))
        target = self.coldest(backend)
        for _ in range(2):
            assert (await bring(backend, "/file", target)).state is StepState.DONE
        assert (await backend.status("/file")).storage_class == target

    async def test_new_bytes_begin_at_the_landing_class_and_the_old_copy_is_never_read(
        self, backend: Backend
    ) -> None:
        await backend.write("/file", chunked(b"old bytes"))
        target = self.coldest(backend)
        await bring(backend, "/file", target)
        await backend.write("/file", chunked(b"new"))
        status = await backend.status("/file")
        assert (status.storage_class, status.size) == (backend.landing_class, 3)
        await bring(backend, "/file", target)
        for back in ways(backend)[target]:
            await bring(backend, "/file", back)
            assert await all_of(backend, "/file") == b"new"
            break

    async def test_a_container_has_a_class_of_its_own(self, backend: Backend) -> None:
        await backend.write("/box/file", chunked(b"x"))
        for box in ("/box", "/"):
            for name in self.classes:
                assert (await bring(backend, box, name)).state is StepState.DONE
                assert (await backend.status(box)).storage_class == name
        assert (await backend.status("/box/file")).storage_class == backend.landing_class
        assert [each.name for each in await backend.children("/box")] == ["file"]
        assert [each.name for each in await backend.children("/")] == ["box"]

    async def test_a_container_goes_with_everything_in_it(self, backend: Backend) -> None:
        for path in ("/box/a", "/box/deep/b", "/boxer"):
            await backend.write(path, chunked(b"x"))
        await bring(backend, "/box/a", self.coldest(backend))
        await bring(backend, "/box/deep", self.coldest(backend))
        await backend.delete("/box")
        for path in ("/box/a", "/box/deep", "/box"):
            with pytest.raises(NotFound):
                await backend.status(path)
        assert [each.name for each in await backend.children("/")] == ["boxer"]
        with pytest.raises(Conflict):
            await backend.delete("/")

    @pytest.mark.parametrize(
        "name",
        [
            "a b",
            "q'uo\"te",
            "-rf",
            "100%",
            "a+b&c=d",
            "é ü 漢",
            "semi;colon",
            "$(touch x)",
            "#hash?",
            "back\\slash",
        ],
    )
    async def test_any_name_is_a_name(self, backend: Backend, name: str) -> None:
        path = f"/{name}/{name}"
        try:
            await backend.write(path, chunked(b"x"))
        except BadRequest:
            # Some cannot hold every name: then nothing is there, and they said so.
            assert await backend.children("/") == []
            return
        assert [each.name for each in await backend.children("/")] == [name]
        assert [each.name for each in await backend.children(f"/{name}")] == [name]
        assert (await bring(backend, path, self.coldest(backend))).state is StepState.DONE
        assert (await backend.status(path)).storage_class == self.coldest(backend)
        await backend.delete(f"/{name}")
        assert await backend.children("/") == []

    async def test_starting_twice_is_one_step_and_another_target_is_refused(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA))
        target, *others = ways(backend)[backend.landing_class]
        first = await backend.start("/file", target)
        assert await backend.start("/file", target) == first
        for other in others:
            with pytest.raises(Conflict):
                await backend.start("/file", other)
        assert (await bring(backend, "/file", target)).state is StepState.DONE

    async def test_a_cancelled_step_leaves_the_object_readable(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA))
        target = next(
            name for name in ways(backend)[backend.landing_class] if self.classes[name] is not Locality.TAPE
        )
        handle = await backend.start("/file", target)
        await backend.cancel("/file", handle)
        assert (await backend.poll("/file", handle, 0)).state is not StepState.RUNNING
        assert (await backend.status("/file")).storage_class in {backend.landing_class, target}
        assert await all_of(backend, "/file") == DATA
        assert (await bring(backend, "/file", self.coldest(backend))).state is StepState.DONE

    async def test_a_handle_nobody_knows_is_unknown(self, backend: Backend) -> None:
        await backend.write("/file", chunked(b"x"))
        assert (await backend.poll("/file", "of an earlier process", 0)).state is StepState.UNKNOWN
        await backend.cancel("/file", "of an earlier process")

    async def test_a_reader_is_not_disturbed_by_the_file_going_to_tape(self, backend: Backend) -> None:
        await backend.write("/file", chunked(DATA * 4))
        reader = backend.read("/file")
        begun = await anext(reader)
        assert (await bring(backend, "/file", self.coldest(backend))).state is StepState.DONE
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

    async def test_a_storage_that_fails_is_reported_and_used_again_afterwards(
        self, backend: Backend, faults: Faults
    ) -> None:
        await backend.write("/file", chunked(DATA))
        target = self.coldest(backend)
        for name, fault in faults.items():
            with fault():
                with pytest.raises(Unavailable):
                    await backend.status("/file")
                with pytest.raises(Unavailable):
                    await bring(backend, "/file", target)
                health = await backend.health()
                assert not health.usable, name
                assert health.notes, name
        assert (await backend.health()).usable
        assert await all_of(backend, "/file") == DATA
        assert (await bring(backend, "/file", target)).state is StepState.DONE
