from __future__ import annotations

from datetime import UTC, datetime

import pytest
from indigo_pid.domain.handle_values import InvalidValue, read_values
from indigo_pid.domain.namespaces import NotThere, computed_values, read_namespace

NOW = datetime(2026, 1, 1, tzinfo=UTC)
BASE = "21.T99999/abc"
VALUES = read_values(
    [
        {"index": 1, "type": "URL", "data": "http://example.org/data/abc"},
        {"index": 2, "type": "EMAIL", "data": "contact@example.org"},
    ],
    now=NOW,
)
MANUAL = r"""<namespace> <template delimiter="@"> <foreach>
 <if value="type" test="equals" expression="URL">
  <if value="extension" test="matches" expression="box\(([^,]*),([^,]*),([^,]*),([^,]*)\)" parameter="x">
   <value data="${data}?wh=${x[4]}&amp;ww=${x[3]}&amp;wy=${x[2]}&amp;wx=${x[1]}" />
  </if>
  <else> <value data="${data}?${x}" /> </else>
 </if>
 <else> <value /> </else>
</foreach> </template> </namespace>"""


def namespace(inside, delimiter="@"):
    return f'<namespace><template delimiter="{delimiter}">{inside}</template></namespace>'


def each(data, delimiter="@"):
    return namespace(f'<foreach><value data="{data}"/></foreach>', delimiter)


def computed(xml, extension, values=VALUES, delimiter="@"):
    made = computed_values(read_namespace(xml), f"{BASE}{delimiter}{extension}", BASE, values)
    return {one["type"]: one["data"]["value"] for one in made}


def test_the_example_of_the_manual():
    made = computed(MANUAL, "box(10,20,30,40)")
    assert made == {
        "URL": "http://example.org/data/abc?wh=40&ww=30&wy=20&wx=10",
        "EMAIL": "contact@example.org",
    }
    assert computed(MANUAL, "a=b")["URL"] == "http://example.org/data/abc?a=b"


@pytest.mark.parametrize(
    ("extension", "url"),
    [
        ("page/3.tiff", "http://example.org/data/abc/page/3.tiff"),
        ('a b<c>"', "http://example.org/data/abc/a%20b%3Cc%3E%22"),
        ("%2e%2e/é", "http://example.org/data/abc/%252e%252e/%C3%A9"),
        ("//evil.test", "http://example.org/data/abc///evil.test"),
        ("@evil.test", "http://example.org/data/abc/@evil.test"),
    ],
)
def test_suffix_passthrough(extension, url):
    assert computed(each("${data}/${extension}", "/"), extension, VALUES[:1], "/")["URL"] == url


@pytest.mark.parametrize(
    ("data", "extension"),
    [
        ("https://${extension}", "evil.test/"),
        ("https://${extension}/x", "evil.test"),
        ("https://example.org${extension}", ".evil.test"),
        ("https://example.org${extension}", "@evil.test/"),
        ("${extension}", "https://evil.test/"),
        ("http${extension}", "s://evil.test/"),
        ("javascript:${extension}", "alert(1)"),
        ("${data}/${extension}", "../../secret"),
        ("${data}/${extension}", "."),
        ("${data}/${y}", "x"),
        ("${data}/.${extension}", "."),
        ("ftp://example.org/${extension}", "x"),
    ],
)
def test_an_extension_leads_nobody_elsewhere(data, extension):
    with pytest.raises(NotThere):
        computed(each(data), extension, VALUES[:1])


def test_a_template_may_say_no_and_may_make_values_of_its_own():
    xml = namespace(
        '<if value="extension" test="matches" expression="v(\\d+)" parameter="n">'
        '<value index="9" type="VERSION" data="${n[1]}"/><foreach><value/></foreach></if>'
        "<else><notfound/></else>"
    )
    assert computed(xml, "v12")["VERSION"] == "12"
    for extension in ("w12", "v", ""):
        with pytest.raises(NotThere):
            computed(xml, extension)


@pytest.mark.parametrize(
    "xml",
    [
        "",
        "<namespace/>",
        "<namespace><template/></namespace>",
        namespace("", "a"),
        namespace("", " @"),
        namespace("<exec/>"),
        namespace('<value onload="x"/>'),
        namespace('<if test="equals"/>'),
        namespace('<if value="extension" test="like" expression="x"/>'),
        namespace('<if value="extension" test="matches" expression="(a"/>'),
        namespace("<value/>" * 101),
        namespace("<foreach><foreach><value/></foreach></foreach>"),
        namespace(
            '<foreach><if value="type" test="equals" expression="URL"><foreach><value/></foreach></if></foreach>'
        ),
        "<namespace>" + "x" * 20_000 + "</namespace>",
        '<!DOCTYPE n [<!ENTITY a "b">]>' + namespace("&a;"),
        '<?xml version="1.0"?><?php x?>' + namespace(""),
    ],
)
def test_what_is_no_namespace(xml):
    with pytest.raises(InvalidValue):
        read_namespace(xml)


def test_more_values_than_anybody_needs_are_none():
    many = read_values([{"index": n, "type": "A", "data": "x"} for n in range(1, 102)], now=NOW)
    with pytest.raises(NotThere):
        computed(each("${data}"), "x", many)


@pytest.mark.parametrize("place", ['index="1" type="A" data', 'index="1" data="x" type'])
def test_a_value_longer_than_anybody_needs_is_none(place):
    long = read_values([{"index": 1, "type": "A", "data": "x" * 60_000}], now=NOW)
    for times, fits in ((1, True), (100, False)):
        xml = namespace(f'<foreach><value {place}="{"${data}" * times}"/></foreach>')
        if fits:
            assert computed(xml, "x", long)
        else:
            with pytest.raises(NotThere, match="long"):
                computed(xml, "x", long)


@pytest.mark.parametrize(
    ("inside", "expected"),
    [
        ('<foreach><if value="type" test="equals" expression="URL"><value data="x"/></if></foreach>', True),
        (MANUAL.partition('delimiter="@">')[2].partition("</template>")[0], True),
        ('<foreach><if value="type" test="equals" expression="DOI"><value data="x"/></if></foreach>', False),
        ('<foreach><if value="data" test="equals" expression="URL"><value data="x"/></if></foreach>', False),
        ('<foreach><if value="type" test="matches" expression="URL"><value data="x"/></if></foreach>', False),
        (
            """<foreach><if value="type" test="equals" expression="URL"><value/></if>
            <else><value type="URL"/></else></foreach>""",
            False,
        ),
        ("<foreach><value/></foreach>", False),
        ("<foreach><notfound/></foreach>", False),
        ('<value index="1" type="URL" data="https://example.org/"/>', False),
        ('<if value="type" test="equals" expression="URL"><notfound/></if>', False),
    ],
)
def test_whether_a_template_is_about_urls_alone(inside, expected):
    assert read_namespace(namespace(inside)).is_about_urls is expected
