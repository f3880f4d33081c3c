"""Paths, field selections, ranges and metadata updates, as clients write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.problems import BadRequest
from indigo_qos_gateway.domain.metadata import selected, updated
from indigo_qos_gateway.domain.paths import below, check_name_is_free, lineage, parent, parse_path, parse_text
from indigo_qos_gateway.domain.ranges import Unsatisfiable, parse_content_range, parse_range
from indigo_qos_gateway.domain.selection import Span, parse_selection


@pytest.mark.parametrize(
    ("raw", "path", "slash"),
    [
        (b"/", "/", True),
        (b"", "/", True),
        (b"/a", "/a", False),
        (b"/a/b/", "/a/b", True),
        (b"/%40MyContainer/", "/@MyContainer", True),
        (b"/caf%C3%A9", "/café", False),
        ("/cafe\u0301".encode(), "/café", False),
    ],
)
def test_paths(raw, path, slash):
    assert parse_path(raw) == (path, slash)


@pytest.mark.parametrize(
    "raw", [b"/a//b", b"//", b"/a/../b", b"/.", b"/a%2Fb", b"/a%3Fb", b"/a%00", b"/a%5Cb", b"/" + b"x" * 256]
)
def test_paths_no_tree_should_have(raw):
    with pytest.raises(BadRequest):
        parse_path(raw)


@given(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=20), max_size=5))
def test_a_path_is_in_its_own_lineage_and_below_the_root(segments):
    path = parse_text("/" + "/".join(segments))
    assert next(iter(lineage(path))) == path
    assert list(lineage(path))[-1] == "/"
    assert all(below(path, each) for each in lineage(path))
    assert below(path, parent(path))


def test_below_is_by_segments():
    assert not below("/foobar", "/foo")


@pytest.mark.parametrize("path", ["/", "/cdmi_x", "/a/cdmi_b", "/events", "/api/x"])
def test_names_nobody_may_have(path):
    with pytest.raises(BadRequest):
        check_name_is_free(path, {"events", "api"})


def test_a_selection_is_split_before_it_is_decoded():
    selection = parse_selection(b"objectName;metadata:%40user;metadata:a%3Bb;children:0-2")
    assert selection.wants("objectName")
    assert not selection.wants("objectID")
    assert selection.metadata() == ("@user", "a;b")
    assert selection.span("children") == Span(0, 2)


def test_no_selection_wants_everything_and_names_nothing():
    selection = parse_selection(b"")
    assert selection.wants("value")
    assert not selection.names("value")
    assert selection.metadata() is None


@pytest.mark.parametrize("query", [b";;a", b":x", b"a;;b"])
def test_empty_fields_are_refused(query):
    with pytest.raises(BadRequest):
        parse_selection(query)


@pytest.mark.parametrize("query", [b"value:x", b"value:5-2", b"value:1-2-3", b"value:0-1;value:3-4", b"value:-5"])
def test_wrong_ranges_of_values_are_refused(query):
    with pytest.raises(BadRequest):
        parse_selection(query).span("value")


@pytest.mark.parametrize(
    ("header", "span"),
    [
        ("bytes=0-4", Span(0, 4)),
        ("bytes=5-", Span(5, 9)),
        ("bytes=-3", Span(7, 9)),
        ("bytes=-30", Span(0, 9)),
        ("bytes=2-99", Span(2, 9)),
        ("bytes=4-2", None),
        ("bytes=0-1,3-4", None),
        ("bytes=-", None),
        ("lines=0-1", None),
    ],
)
def test_ranges_of_http(header, span):
    assert parse_range(header, 10) == span


@pytest.mark.parametrize("header", ["bytes=10-", "bytes=99-100", "bytes=-0"])
def test_ranges_behind_the_end(header):
    with pytest.raises(Unsatisfiable):
        parse_range(header, 10)


def test_content_range():
    assert parse_content_range("bytes 21-24/37") == Span(21, 24)
    for wrong in ("bytes 24-21/37", "21-24", "bytes */37"):
        with pytest.raises(BadRequest):
            parse_content_range(wrong)


def test_named_metadata_are_set_or_removed_and_the_others_stay():
    before = {"shape": "round", "colour": "green"}
    assert updated(before, {"colour": "red"}, ("colour",)) == {"shape": "round", "colour": "red"}
    assert updated(before, {"size": "10", "extra": "x"}, ("colour", "size")) == {"shape": "round", "size": "10"}
    assert updated(before, {"new": "1"}, None) == {"new": "1"}


def test_what_the_gateway_states_cannot_be_written():
    written = {"cdmi_size": "0", "cdmi_latency_provided": "1", "cdmi_latency": "5", "mine": "x"}
    assert updated({}, written, None) == {"cdmi_latency": "5", "mine": "x"}


def test_metadata_are_selected_by_their_beginning():
    assert selected({"cdmi_size": "1", "x": "2"}, ("cdmi_",)) == {"cdmi_size": "1"}
