from __future__ import annotations

from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.adapters.index_file import DiskIndex
from indigo_pid.application.name_index import Mode, NameIndex
from indigo_pid.domain.names import Naming, parse_name
from indigo_pid.domain.resolution import NO_TEMPLATE, Row, Standing, standing_of

NAMING = Naming("21.T99999", "10.5072", "99999", "https://pid.example.org")
TARGET = "https://data.example.org/1"


def index(most: int = 100) -> NameIndex:
    ticks = count()
    made = NameIndex(NAMING, most, lambda: float(next(ticks)))
    made.replace({})
    return made


def row(suffix: str = "b0", state: str = "active", target: str = TARGET, **changes) -> Row:
    values = {
        "handle_key": f"21.t99999/{suffix}",
        "ark_key": f"99999/{suffix}",
        "doi": f"10.5072/{suffix}",
        "state": state,
        "target": target,
        **changes,
    }
    return Row(**values)


def test_one_entry_answers_for_every_face():
    names = index()
    names.note([row("b0c")])
    assert len(names) == 1
    for name in (
        "21.T99999/b0c",
        "21.t99999/B0C",
        "10.5072/B0c",
        "ark:/99999/b0c",
        "ark:99999/b-0c",
        "ARK:99999/b0c",
    ):
        value = names.find(name)
        assert value is not None, name
        assert (standing_of(value), value[1:].decode()) == (Standing.ACTIVE, TARGET)
    for name in ("ark:/99999/B0C", "21.T99999/b0", "10.5073/b0c", "21.T9/b0c", "b0c", " b0c", "", "21.T99999/"):
        assert names.find(name) is None, name


def test_a_face_that_is_not_there_is_not_found():
    names = index()
    names.note([row(doi="", ark_key="")])
    assert names.find("21.T99999/b0") is not None
    assert names.find("10.5072/b0") is None
    assert names.find("ark:/99999/b0") is None


def test_names_under_other_prefixes_have_entries_of_their_own():
    names = index()
    names.note([row(handle_key="21.t14999/Ä".replace("Ä", "ä"), ark_key="", doi="")])
    names.note([row("c1", doi="10.14454/old")])
    assert names.find("21.T14999/ä") is not None
    assert names.find("10.14454/OLD") is not None
    assert names.find("10.5072/c1") is None
    assert names.find("ark:99999/c1") is not None


@given(
    suffix=st.from_regex(r"[0-9a-z.()/:;-]{1,12}", fullmatch=True),
    upper=st.booleans(),
    prefix=st.sampled_from(["21.T99999", "10.5072", "21.t99999", "10.1234"]),
)
def test_the_short_way_finds_what_the_long_way_finds(suffix, upper, prefix):
    names = index()
    names.note([row(suffix, ark_key="")])
    name = f"{prefix}/{suffix.upper() if upper else suffix}"
    short, long = names.leads_to(f"/{name}"), names.find(name)
    assert (long is None) == (prefix == "10.1234")
    if name.endswith(suffix):
        assert short == (None if long is None else long[1:])
    else:
        assert short is None


@pytest.mark.parametrize("state", ["reserved", "tombstoned", "choice"])
def test_the_short_way_is_for_what_just_leads_there(state):
    names = index()
    names.note([row(state="active", choice=True) if state == "choice" else row(state=state)])
    assert names.find("21.T99999/b0") is not None
    assert not names.leads_to("/21.T99999/b0")


@pytest.mark.parametrize("path", ["", "/", "b0", "/b0", "b0/", "//b0", "/21.T99999/", "/21.T99999/b0/"])
def test_paths_that_are_no_name_lead_nowhere(path):
    names = index()
    names.note([row()])
    assert not names.leads_to(path)


def test_an_entry_under_a_whole_name_is_no_suffix():
    names = index()
    names.note([row(handle_key="21.t14999/x", ark_key="", doi="")])
    assert names.find("21.T14999/x") is not None
    (key,) = names.values
    assert names.leads_to(f"/21.T99999/{key}") is None
    assert names.find(f"21.T99999/{key}") is None


def test_what_a_name_stands_for_changes():
    names = index()
    for state, standing in (
        ("reserved", Standing.RESERVED),
        ("active", Standing.ACTIVE),
        ("tombstoned", Standing.GONE),
    ):
        names.note([row(state=state)])
        value = names.find("21.T99999/b0")
        assert value is not None
        assert standing_of(value) is standing
    assert standing_of(next(iter(names.entries(row(choice=True))))[1]) is Standing.CHOICE


def test_an_older_reading_does_not_undo_a_younger_commit():
    names = index()
    names.begin()
    old = list(names.entries(row(target=TARGET + "/old")))
    names.note([row(target=TARGET + "/new")])
    names.apply(old)
    names.end()
    value = names.find("21.T99999/b0")
    assert value is not None
    assert value.endswith(b"/new")
    names.begin()
    names.note([row("c2")])
    names.replace(dict(old))
    names.end()
    assert names.find("21.T99999/c2") is not None


def test_the_values_of_a_handle_with_a_template_are_there_until_it_has_none():
    names, name = index(), parse_name("21.T99999/B0")
    names.note([row(values='[{"index": 1}]')])
    assert names.values_of(name) == [{"index": 1}]
    assert names.find("21.T99999/v21.t99999/b0") is None
    old = dict(names.values)
    names.note([row(values=NO_TEMPLATE)])
    assert (names.values_of(name), len(names)) == (None, 1)
    names.begin()
    names.note([row(values='[{"index": 2}]')])
    names.note([row(values=NO_TEMPLATE)])
    names.replace(old)  # read before that was committed
    names.end()
    assert (names.values_of(name), len(names)) == (None, 1)
    assert names.values_of(None) is None


def test_memory_has_a_bound():
    names = index(most=2)
    for suffix in ("a", "b", "c"):
        names.note([row(suffix)])
    names.note([row("a", state="tombstoned")])
    assert len(names) == 2
    assert not names.is_whole
    value = names.find("21.T99999/a")
    assert value is not None
    assert standing_of(value) is Standing.GONE


def test_modes_and_lag():
    names = NameIndex(NAMING, 10, iter([5.0, 7.5]).__next__)
    names.cut_off()
    assert (names.mode, names.lag(), names.is_whole) == (Mode.BEHIND, None, False)
    names.replace({})
    names.end()
    assert (names.mode, names.lag()) == (Mode.CURRENT, 2.5)
    names.cut_off()
    assert names.mode is Mode.CUT_OFF


class TestOnDisk:
    @pytest.fixture
    def path(self, tmp_path):
        return tmp_path / "deep" / "names"

    def test_what_is_written_is_read(self, path):
        file = DiskIndex(path, "h")
        values = {f"n{number}é": b"I" + str(number).encode() for number in range(25_000)}
        file.replace(values)
        file.append([("n1é", b"Q"), ("=", b"=")])
        assert DiskIndex(path, "h").read() == {**values, "n1é": b"Q", "=": b"="}
        file.replace({"x": b"I"})
        assert file.read() == {"x": b"I"}

    def test_no_file_and_a_file_for_other_prefixes(self, path):
        file = DiskIndex(path, "h")
        assert file.read() is None
        file.replace({"x": b"I"})
        assert DiskIndex(path, "other").read() is None

    @pytest.mark.parametrize("lost", range(1, 30, 3))
    def test_a_torn_end_is_left_out(self, path, lost):
        file = DiskIndex(path, "h")
        file.replace({"x": b"I1"})
        whole = len(path.read_bytes())
        file.append([("x", b"I2"), ("y", b"I3")])
        torn = path.read_bytes()
        path.write_bytes(torn[: max(whole, len(torn) - lost)])
        assert file.read() == {"x": b"I1"}

    def test_a_changed_byte_is_noticed(self, path):
        file = DiskIndex(path, "h")
        file.replace({"x": b"Ihttps://good.example.org"})
        path.write_bytes(path.read_bytes().replace(b"good", b"evil"))
        assert file.read() == {}
