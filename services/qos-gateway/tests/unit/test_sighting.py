"""Who asks at the same time asks together, once for what is known and once for what the storage says."""

import asyncio
from datetime import UTC, datetime

import pytest
from indigo_contracts.qos import Locality
from indigo_qos_gateway.application.mounts import Mount, MountTable
from indigo_qos_gateway.application.sighting import Sightings
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.storage import ObjectType, Status


def status(path):
    return Status(path, ObjectType.DATAOBJECT, "DiskOnly", Locality.DISK, 1, datetime.now(UTC))


class Storage:
    """Tells what is asked for one by one; `asked` has the questions, `hangs` the paths nobody hears of."""

    def __init__(self, hangs=()):
        self.asked = []
        self.hangs = hangs

    async def status(self, path):
        self.asked.append(path)
        await self._answer(path)
        if path.endswith("nothing"):
            raise ObjectNotFound(path)
        return status(path)

    async def _answer(self, path):
        if path in self.hangs:
            await asyncio.Event().wait()


class Fast(Storage):
    """Tells many at a time, but of what is `elsewhere`."""

    async def statuses(self, paths):
        self.asked.append(list(paths))
        for path in paths:
            if "elsewhere" not in path:
                await self._answer(path)
        return [self._told(path) for path in paths]

    def _told(self, path):
        if "elsewhere" in path:
            return None
        return ObjectNotFound(path) if path.endswith("nothing") else status(path)

    async def begin(self, paths, target):
        raise NotImplementedError

    ended = stop = begin


class Views:
    """Knows the name of everything."""

    def __init__(self):
        self.asked = []

    async def find(self, paths):
        self.asked.append(list(paths))
        return [f"known of {path}" for path in paths]


def sightings(views, **backends):
    mounts = [Mount("/" if name == "root" else f"/{name}", backend) for name, backend in backends.items()]
    return Sightings(MountTable(mounts), views)


async def test_those_who_come_together_ask_one_question_each_of_database_and_storage():
    views, storage = Views(), Fast()
    sights = sightings(views, root=Storage(), disk=storage)
    found = await asyncio.gather(*(sights.at(f"/disk/{name}") for name in "abc"))
    assert [(known, seen.path) for known, seen in found] == [
        (f"known of /disk/{name}", f"/disk/{name}") for name in "abc"
    ]
    assert (views.asked, storage.asked) == ([["/disk/a", "/disk/b", "/disk/c"]], [["/a", "/b", "/c"]])


async def test_what_nobody_has_is_an_error_of_its_own_for_each_who_asks():
    sights = sightings(Views(), root=Fast())
    errors = await asyncio.gather(*(sights.at("/nothing") for _ in range(2)), return_exceptions=True)
    assert [type(each) for each in errors] == [ObjectNotFound, ObjectNotFound]
    assert errors[0] is not errors[1]  # an error is completed on its way out


async def test_a_storage_that_takes_one_at_a_time_is_asked_by_itself():
    views, storage = Views(), Storage()
    sights = sightings(views, root=storage)
    await asyncio.gather(sights.at("/a"), sights.at("/b"))
    assert (views.asked, storage.asked) == ([["/a", "/b"]], ["/a", "/b"])
    with pytest.raises(ObjectNotFound):
        await sights.at("/nothing")


@pytest.mark.parametrize("hangs", ["/elsewhere", "/tape/a"])
async def test_what_hangs_keeps_only_those_waiting_who_ask_for_it(hangs):
    sights = sightings(Views(), root=Fast(hangs=["/elsewhere"]), tape=Fast(hangs=["/a"]))
    waiting = asyncio.create_task(sights.at(hangs))
    async with asyncio.timeout(5):
        found = await asyncio.gather(*(sights.at(f"/{name}") for name in "abc"))
    assert [seen.path for _, seen in found] == ["/a", "/b", "/c"]
    assert not waiting.done()
    waiting.cancel()
