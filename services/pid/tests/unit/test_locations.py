from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.domain.handle_values import InvalidValue
from indigo_pid.domain.locations import read_locations
from indigo_pid.domain.passthrough import cuts, extended

TEXT = """<locations chooseby="{}">
<location href="https://gb" country="gb" role="x" weight="0"/>
<location href="https://us" country="us" weight="3"/>
<location href="https://any" weight="1"/>
</locations>"""


@pytest.mark.parametrize(
    ("methods", "asked", "country", "at", "place"),
    [
        ("locatt,country,weighted", {}, None, 0.0, "https://us"),
        ("locatt,country,weighted", {}, None, 0.8, "https://any"),
        ("locatt,country,weighted", {"role": "x"}, None, 0.0, "https://gb"),
        ("locatt,country,weighted", {"role": "none"}, None, 0.0, "https://us"),
        ("locatt,country,weighted", {}, "GB", 0.0, "https://gb"),
        ("country", {}, "fr", 0.0, "https://any"),
        ("weighted", {"role": "x"}, "gb", 0.0, "https://us"),
        ("nonsense", {}, None, 0.0, "https://gb"),
    ],
)
def test_choosing(methods, asked, country, at, place):
    assert read_locations(TEXT.format(methods)).choose(asked, country, lambda total: at * total) == place


def test_places_of_weight_nothing_are_still_places():
    one = read_locations('<locations><location href="https://a" weight="0"/></locations>')
    assert one.choose({}, None) == "https://a"


@pytest.mark.parametrize(
    "text",
    [
        "", "x", "<locations/>", "<other><location href='https://a'/></other>", "<locations><location/></locations>",
        '<locations><location href="https://a" weight="x"/></locations>',
        '<locations><location href="https://a" weight="nan"/></locations>',
        '<locations><location href="https://a" weight="-1"/></locations>',
        '<!DOCTYPE l [<!ENTITY a "b">]><locations><location href="&a;"/></locations>',
    ],
)  # fmt: skip
def test_what_is_no_list_of_places(text):
    with pytest.raises(InvalidValue):
        read_locations(text)


def test_cuts():
    assert list(cuts("ark:/99999/ab/c.d")) == [("ark:/99999/ab/c", ".d"), ("ark:/99999/ab", "/c.d")]
    assert list(cuts("ark:99999/ab/")) == []
    assert list(cuts("21.T99999/ab/c")) == []
    assert list(cuts("ark:")) == []
    assert len(list(cuts("ark:99999/a" + "/x" * 500))) == 20


@given(st.text(), st.sampled_from(["/", "."]))
def test_what_is_appended_never_changes_the_host(rest, first):
    for target in ("https://a.example.org/x", "https://a.example.org", "https://a.example.org/"):
        place = extended(target, first + rest)
        assert place is None or place.startswith("https://a.example.org/")
        assert place is None or "/../" not in place
