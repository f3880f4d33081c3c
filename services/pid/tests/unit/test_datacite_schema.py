"""The DataCite 4.7 models: what is accepted, what is told about the rest, and XML against the official schema."""

from __future__ import annotations

import json
import re
import string
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from indigo_pid.datacite import vocabularies
from indigo_pid.datacite.models import Resource
from indigo_pid.datacite.validation import InvalidMetadata, problems_in, read_resource
from indigo_pid.datacite.xml import MAX_BYTES, from_xml, to_xml
from lxml import etree

LEAST = {
    "doi": "10.5072/x",
    "creators": [{"name": "Carberry, Josiah"}],
    "titles": [{"title": "Water"}],
    "publisher": "INDIGO",
    "publicationYear": "2026",
    "types": {"resourceTypeGeneral": "Dataset"},
}


@cache
def schema(directory: Path) -> etree.XMLSchema:
    return etree.XMLSchema(etree.parse(directory / "kernel-4.7" / "metadata.xsd"))


@pytest.fixture
def datacite(vectors) -> Path:
    return vectors / "datacite"


def examples(datacite: Path) -> list[Path]:
    found = sorted([*datacite.glob("examples/*.xml"), *datacite.glob("kernel-4.7/example/*.xml")])
    assert len(found) >= 25
    return found


MISSPELLED = {"affilicationIdentifierScheme", "schemeURL"}
"""In a sample, where the schema lets any attribute pass."""


def flat(element: etree._Element, path: str = "") -> list[str]:
    """All an XML document says, without regard to order, white space and how a number is written."""

    def said(text: str | None) -> str:
        words = " ".join((text or "").split())
        return str(float(words)) if re.fullmatch(r"-?\d+\.\d+", words) else words

    here = f"{path}/{etree.QName(element).localname}"
    attributes = sorted(
        (name, said(value))
        for name, value in element.attrib.items()
        if not name.endswith("schemaLocation") and name not in MISSPELLED
    )
    told = [f"{here} {said(element.text)} {said(element.tail)} {attributes}"]
    for child in element.iterchildren(etree.Element):
        told += flat(child, here)
    return sorted(told)


def test_every_example_survives_both_ways_without_loss(datacite):
    for path in examples(datacite):
        resource = from_xml(path.read_bytes())
        written = to_xml(resource)
        assert flat(etree.fromstring(written)) == flat(etree.parse(path).getroot()), path.name
        assert from_xml(written) == resource, path.name
        document = json.loads(json.dumps(resource.document()))
        assert read_resource(document) == resource, path.name
        assert read_resource(document).document() == document, path.name
        assert schema(datacite).validate(etree.fromstring(written)), (path.name, schema(datacite).error_log)


def test_the_lists_are_the_schemas(datacite):
    for name, file in {
        "ResourceType": "resourceType",
        "RelationType": "relationType",
        "RelatedIdentifierType": "relatedIdentifierType",
        "ContributorType": "contributorType",
        "DateType": "dateType",
        "DescriptionType": "descriptionType",
        "TitleType": "titleType",
        "NameType": "nameType",
        "NumberType": "numberType",
        "FunderIdentifierType": "funderIdentifierType",
    }.items():
        tree = etree.parse(datacite / "kernel-4.7" / "include" / f"datacite-{file}-v4.xsd")
        listed = {one.get("value") for one in tree.iter("{*}enumeration")}
        assert {one.value for one in getattr(vocabularies, name)} == listed


def with_(path: str, value: object) -> dict[str, object]:
    """The least document with ``value`` at ``path``, in a list where names are repeated."""
    document = json.loads(json.dumps(LEAST))
    document[path] = value
    return document


def corners(*longitudes: float) -> list[dict[str, object]]:
    return [{"polygonPoint": {"pointLongitude": one, "pointLatitude": 0}} for one in longitudes]


@pytest.mark.parametrize(
    ("document", "pointer", "code"),
    [
        ({}, "/creators", "missing"),
        (with_("creators", []), "/creators", "missing"),
        (with_("creators", [{"name": " "}]), "/creators/0/name", "missing"),
        (with_("creators", [{"name": "a"}, "b"]), "/creators/1", "type"),
        (with_("creators", [{"name": "a", "nameType": "personal"}]), "/creators/0/nameType", "vocabulary"),
        (
            with_("creators", [{"name": "a", "nameIdentifiers": [{"nameIdentifier": "x"}]}]),
            "/creators/0/nameIdentifiers/0/nameIdentifierScheme",
            "missing",
        ),
        (with_("titles", [{"title": None}]), "/titles/0/title", "missing"),
        (with_("titles", "Water"), "/titles", "type"),
        (with_("publisher", {"name": ""}), "/publisher/name", "missing"),
        (with_("publisher", None), "/publisher", "missing"),
        (with_("publicationYear", "26 AD"), "/publicationYear", "type"),
        (with_("publicationYear", 12026), "/publicationYear", "range"),
        (with_("types", {"resourceTypeGeneral": "dataset"}), "/types/resourceTypeGeneral", "vocabulary"),
        (with_("contributors", [{"name": "a"}]), "/contributors/0/contributorType", "missing"),
        (with_("dates", [{"date": "2026", "dateType": "Published"}]), "/dates/0/dateType", "vocabulary"),
        (with_("language", "no language"), "/language", "language"),
        (with_("titles", [{"title": "a", "lang": "e_n"}]), "/titles/0/lang", "language"),
        (with_("titles", [{"title": "a\x01"}]), "/titles/0/title", "characters"),
        (with_("rightsList", [{"rightsUri": "%zz"}]), "/rightsList/0/rightsUri", "uri"),
        (with_("rightsList", [{"rightsUri": "http://[x"}]), "/rightsList/0/rightsUri", "uri"),
        (with_("rightsList", [{"rights": "x" * 2001}]), "/rightsList/0/rights", "too_long"),
        (
            with_("geoLocations", [{"geoLocationPoint": {"pointLongitude": 181, "pointLatitude": 0}}]),
            "/geoLocations/0/geoLocationPoint/pointLongitude",
            "range",
        ),
        (
            with_("geoLocations", [{"geoLocationPoint": {"pointLongitude": "NaN", "pointLatitude": 0}}]),
            "/geoLocations/0/geoLocationPoint/pointLongitude",
            "range",
        ),
        (
            with_("geoLocations", [{"geoLocationPolygon": corners(0, 1, 2)}]),
            "/geoLocations/0/geoLocationPolygon",
            "invalid",
        ),
        (
            with_("geoLocations", [{"geoLocationPolygon": corners(0, 1, 200, 0)}]),
            "/geoLocations/0/geoLocationPolygon/2/polygonPoint/pointLongitude",
            "range",
        ),
        (
            with_("geoLocations", [{"geoLocationPolygon": [corners(0, 1, 2, 0), corners(0, 1, 200, 0)]}]),
            "/geoLocations/0/geoLocationPolygon/1/2/polygonPoint/pointLongitude",
            "range",
        ),
        (
            with_("fundingReferences", [{"funderName": "a", "funderIdentifier": "b"}]),
            "/fundingReferences/0",
            "invalid",
        ),
        (
            with_("relatedItems", [{"relatedItemType": "Journal", "relationType": "Sees"}]),
            "/relatedItems/0/relationType",
            "vocabulary",
        ),
    ],
)
def test_what_is_wrong_is_told_by_field(document, pointer, code):
    assert (pointer, code) in [(one.pointer, one.code) for one in problems_in(document)]


def test_a_bare_name_will_do_for_publishers_and_affiliations():
    read = read_resource(with_("creators", [{"name": "a", "affiliation": ["IFCA"], "nameIdentifiers": []}]))
    assert read.publisher.name == "INDIGO"
    assert read.creators[0].affiliation[0].name == "IFCA"
    assert "nameIdentifiers" not in read.document()["creators"][0]


def test_what_a_registrar_adds_is_passed_over():
    assert read_resource({**LEAST, "state": "findable", "viewCount": 3, "language": None}) == read_resource(LEAST)


@pytest.mark.parametrize("several", [False, True])
def test_areas_in_both_json_forms(datacite, several):
    area = [*corners(0, 1, 2, 0), {"inPolygonPoint": {"pointLongitude": 1, "pointLatitude": 0.5}}]
    given = [area, area] if several else area
    resource = read_resource(with_("geoLocations", [{"geoLocationPolygon": given}]))
    again = from_xml(to_xml(resource))
    assert again == resource
    assert again.document()["geoLocations"][0]["geoLocationPolygon"] == given


def test_line_feeds_of_a_description_are_br_elements(datacite):
    resource = read_resource(
        with_("descriptions", [{"description": "one\r\n\r\n two  three ", "descriptionType": "Abstract"}])
    )
    assert resource.descriptions[0].description == "one\n\ntwo  three"
    assert b"one<br/><br/>two  three" in to_xml(resource)
    assert from_xml(to_xml(resource)) == resource


ITEM = {"relatedItemType": "Book", "relationType": "IsPartOf"}


def test_xml_without_a_doi_names_the_handle(datacite):
    resource = read_resource({name: value for name, value in LEAST.items() if name != "doi"})
    written = to_xml(resource, handle="21.T99999/x")
    assert b'<identifier identifierType="Handle">21.T99999/x</identifier>' in written
    assert schema(datacite).validate(etree.fromstring(written))
    assert from_xml(written) == resource
    with pytest.raises(ValueError, match="a DOI or a handle"):
        to_xml(resource)


NS = "http://datacite.org/schema/kernel-4"
BOMB = (
    "<!DOCTYPE r ["
    + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10 if n else "ha"}">' for n in range(10))
    + f"]><resource xmlns='{NS}'><version x='&a9;'>&a9;</version></resource>"
)
OUTSIDE = f"""<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/passwd">]><resource xmlns="{NS}">&x;</resource>"""


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (BOMB.encode(), "no document type"),
        (OUTSIDE.encode(), "no document type"),
        (BOMB.encode("utf-16"), "UTF-8"),
        (b"<resource>\xff</resource>", "UTF-8"),
        (b"", "well-formed"),
        (b"<resource", "well-formed"),
        (b"<a>" * 5000 + b"</a>" * 5000, "well-formed"),
        (b"<resource/>", "namespace"),
        (f"<record xmlns='{NS}'/>".encode(), "root element"),
        (f"<resource xmlns='{NS}'><nonsense/></resource>".encode(), "nonsense has no place"),
        (f"<resource xmlns='{NS}'><version a='b'>1</version></resource>".encode(), "no attribute a"),
        (f"<resource xmlns='{NS}'><version>1</version><version>2</version></resource>".encode(), "twice"),
        (f"<resource xmlns='{NS}'><titles/>x</resource>".encode(), "elements only"),
        (f"<resource xmlns='{NS}'><version>1<b/></version></resource>".encode(), "text only"),
        (b" " * (MAX_BYTES + 1), "at most"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_xml_that_is_refused(document, told):
    with pytest.raises(InvalidMetadata, match=told) as refused:
        from_xml(document)
    assert [one.code for one in refused.value.errors] == ["xml"]


def test_a_declared_encoding_does_not_matter_for_what_is_utf_8(datacite):
    resource = read_resource(with_("titles", [{"title": "Größe"}]))
    lying = to_xml(resource).replace(b"UTF-8", b"ISO-8859-1", 1)
    assert from_xml(lying) == resource


def test_flaws_of_xml_content_point_into_the_json_form():
    with pytest.raises(InvalidMetadata) as refused:
        from_xml(f"<resource xmlns='{NS}'><dates><date dateType='Never'>2026</date></dates></resource>".encode())
    assert "/dates/0/dateType" in [one.pointer for one in refused.value.errors]


_TEXT = st.text(alphabet=st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=30)
_URIS = st.text(alphabet=string.ascii_letters + string.digits + ":/?#[]@%.-+ é|", max_size=25)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=_TEXT, uri=_URIS, number=st.floats(-90, 90), language=st.text("aZ0-_", max_size=6))
def test_whatever_is_accepted_is_valid_xml_and_comes_back(datacite, text, uri, number, language):
    document = {
        **LEAST,
        "titles": [{"title": text or "x", "lang": language}],
        "descriptions": [{"description": text or "x", "descriptionType": "Abstract"}],
        "rightsList": [{"rights": text, "rightsUri": uri}],
        "sizes": [text or "x"],
        "geoLocations": [{"geoLocationPoint": {"pointLongitude": number, "pointLatitude": number}}],
        "fundingReferences": [{"funderName": text or "x", "awardUri": uri}],
        "relatedItems": [{**ITEM, "publicationYear": 7, "volume": text, "number": text}],
    }
    try:
        resource = read_resource(document)
    except InvalidMetadata:
        return
    written = to_xml(resource)
    assert schema(datacite).validate(etree.fromstring(written)), schema(datacite).error_log
    assert from_xml(written) == resource
    assert Resource.model_validate(resource.document()) == resource
