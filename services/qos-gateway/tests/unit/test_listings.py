"""Listings are kept as long as nobody changed the directory, whoever that was."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.adapters.posix.listings import Listings
from indigo_qos_gateway.api.child_names import Names
from indigo_qos_gateway.domain.listing import Listing
from indigo_qos_gateway.domain.storage import Child, ObjectType

LONG_AGO = 1_000_000_000


async def chunked(data):
    yield data


@pytest.fixture
async def backend(tmp_path):
    backend = PosixBackend("posix", tmp_path / "disk", tmp_path / "tape", Place())
    yield backend
    await backend.close()


@pytest.fixture
def reads(backend, monkeypatch):
    """How often a directory was read."""
    counted = []
    read = backend._tree.entries_of

    def entries_of(fd, path):
        counted.append(path)
        return read(fd, path)

    monkeypatch.setattr(backend._tree, "entries_of", entries_of)
    return counted


def grow_old(directory):
    os.utime(directory, (LONG_AGO, LONG_AGO))


async def names(backend, path):
    return [each.name for each in await backend.children(path)]


async def test_a_directory_is_read_once_until_it_changes(backend, reads, tmp_path):
    await backend.write("/box/b", chunked(b"x"))
    await backend.make_container("/box/a")
    box = tmp_path / "disk/box"
    grow_old(box)
    for _ in range(3):
        found = await backend.children("/box")
        assert list(found) == [Child("a", ObjectType.CONTAINER), Child("b", ObjectType.DATAOBJECT)]
    assert reads == ["/box"]
    await backend.write("/box/c", chunked(b"x"))  # through us
    assert await names(backend, "/box") == ["a", "b", "c"]
    grow_old(box)
    assert await names(backend, "/box") == ["a", "b", "c"]
    (box / "d").write_bytes(b"x")  # behind our back
    assert await names(backend, "/box") == ["a", "b", "c", "d"]
    grow_old(box)
    assert await names(backend, "/box") == ["a", "b", "c", "d"]
    await backend.delete("/box/a")
    (box / "b").unlink()
    assert await names(backend, "/box") == ["c", "d"]


async def test_a_directory_that_has_just_changed_is_read_again(backend, reads):
    """Its time may stay the same while it changes once more."""
    await backend.write("/box/a", chunked(b"x"))
    assert await names(backend, "/box") == ["a"]
    assert await names(backend, "/box") == ["a"]
    assert reads == ["/box"] * 2


async def test_another_directory_at_the_same_path_has_its_own_listing(backend, tmp_path):
    await backend.write("/box/old", chunked(b"x"))
    grow_old(tmp_path / "disk/box")
    assert await names(backend, "/box") == ["old"]
    await backend.delete("/box")
    await backend.write("/box/new", chunked(b"x"))
    grow_old(tmp_path / "disk/box")
    assert await names(backend, "/box") == ["new"]


async def test_no_more_than_so_many_entries_are_kept(backend, reads, tmp_path):
    listings = Listings(backend._tree, most=5)
    for box, count in (("a", 3), ("b", 2), ("c", 2), ("large", 6)):
        for n in range(count):
            await backend.write(f"/{box}/{n}", chunked(b"x"))
        grow_old(tmp_path / "disk" / box)
    for path in ("/a", "/b", "/a", "/b", "/c", "/b", "/a", "/large", "/large"):
        listings.of(path)
    assert reads == ["/a", "/b", "/c", "/a", "/large", "/large"]


@given(
    children=st.dictionaries(st.text("abc", min_size=1, max_size=3), st.booleans()),
    nodes=st.sets(st.text("abc", min_size=1, max_size=3)),
    first=st.integers(0, 12),
    count=st.integers(0, 12),
    strict=st.booleans(),
)
def test_any_part_of_the_names_is_that_part_of_all_of_them(children, nodes, first, count, strict):
    nodes -= children.keys()
    everything = sorted([*children.items(), *((node, None) for node in nodes)], key=lambda each: each[0])
    expected = [name + ("/" if strict and container else "") for name, container in everything]
    found = Names(Listing(children.items()), list(nodes), strict=strict)
    assert list(found) == expected
    assert len(found) == len(expected)
    assert found[first : first + count] == expected[first : first + count]
