"""Parts of a listing that several back-ends keep together are the parts of all of it."""

from types import SimpleNamespace

from hypothesis import given
from hypothesis import strategies as st
from indigo_qos_gateway.application.joining import JoinedBackend
from indigo_qos_gateway.domain.storage import Child, ObjectType

names = st.text("ab-.\u00e9", min_size=1, max_size=3)


class Home:
    """A storage with these containers and objects; it notes how many entries were asked for."""

    def __init__(self, keys):
        self.keys = sorted(keys)
        self.asked = 0

    async def page(self, path, first, count):
        self.asked += count
        return [
            Child(key.rstrip("/"), ObjectType.CONTAINER if key.endswith("/") else ObjectType.DATAOBJECT)
            for key in self.keys[first : first + count]
        ]


def joined(home, elsewhere):
    async def children(path):
        assert path == "/mount/box"
        return elsewhere

    relocator = SimpleNamespace(backends={}, work=None)
    return JoinedBackend("/mount", home, None, relocator, SimpleNamespace(children=children), None)


@given(
    objects=st.sets(names),
    containers=st.sets(names),
    elsewhere=st.lists(names, unique=True),
    size=st.integers(1, 5),
)
async def test_parts_one_after_another_are_everything(objects, containers, elsewhere, size):
    keys = (objects | {f"{name}/" for name in containers}) - set(elsewhere)
    backend = joined(Home(keys), elsewhere)
    found = []
    while part := await backend.page("/box", len(found), size):
        found += part
    shown = [each.name + "/" * (each.object_type is ObjectType.CONTAINER) for each in found]
    assert shown == sorted(keys | set(elsewhere))
    assert await backend.page("/box", len(found) + 3, size) == []


async def test_a_part_far_behind_asks_the_home_for_little_and_what_moves_just_now_is_told_once():
    home = Home({f"{number:04}" for number in range(1000)})
    backend = joined(home, ["0500", "0999x"])
    part = await backend.page("/box", 498, 5)
    assert [each.name for each in part] == ["0498", "0499", "0500", "0501", "0502"]
    assert home.asked <= 7
