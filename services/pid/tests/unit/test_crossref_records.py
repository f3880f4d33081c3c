"""DataCite metadata in Crossref's deposit XML."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from indigo_pid.crossref.batches import Depositor, batch_document, batch_id_of, file_name, next_timestamp
from indigo_pid.crossref.records import NAMESPACE, problems_for_crossref, record_of
from indigo_pid.sandbox.crossref.processing import Unprocessable, read_deposit
from lxml import etree

NS = {"c": NAMESPACE, "j": "http://www.ncbi.nlm.nih.gov/JATS1", "r": "http://www.crossref.org/relations.xsd"}
NS["a"] = "http://www.crossref.org/AccessIndicators.xsd"
WHO = Depositor("INDIGO", "ops@example.org", "INDIGO-DataCloud", "The repository")
NOW = datetime(2026, 11, 22, 12, 34, 56, 780_000, tzinfo=UTC)


def attributes(**changes):
    values = {
        "url": "https://data.example.org/records/1",
        "creators": [
            {
                "name": "Carberry, Josiah",
                "familyName": "Carberry",
                "givenName": "Josiah",
                "nameType": "Personal",
                "nameIdentifiers": [
                    {"nameIdentifier": "https://orcid.org/0000-0002-1825-0097", "nameIdentifierScheme": "ORCID"}
                ],
                "affiliation": [
                    {
                        "name": "Brown University",
                        "affiliationIdentifier": "https://ror.org/05gq02987",
                        "affiliationIdentifierScheme": "ROR",
                    }
                ],
            },
            {"name": "INDIGO-DataCloud", "nameType": "Organizational"},
        ],
        "titles": [{"title": "Water <quality> & more"}, {"title": "A reservoir", "titleType": "Subtitle"}],
        "publisher": {"name": "INDIGO"},
        "publicationYear": 2026,
        "types": {"resourceTypeGeneral": "Dataset", "resourceType": "Dataset"},
        "dates": [{"date": "2026-03-04", "dateType": "Issued"}],
        "language": "en-GB",
        "version": "2",
        "rightsList": [{"rightsUri": "https://creativecommons.org/licenses/by/4.0/"}],
        "descriptions": [{"description": "First.\nSecond.", "descriptionType": "Abstract"}],
        "alternateIdentifiers": [
            {"alternateIdentifier": "21.T99999/1", "alternateIdentifierType": "Handle"},
        ],
        "relatedIdentifiers": [
            {
                "relatedIdentifier": "10.5072/plan",
                "relatedIdentifierType": "DOI",
                "relationType": "IsDocumentedBy",
            },
            {
                "relatedIdentifier": "10.5072/before",
                "relatedIdentifierType": "DOI",
                "relationType": "IsNewVersionOf",
            },
            {
                "relatedIdentifier": "10.5072/meta",
                "relatedIdentifierType": "DOI",
                "relationType": "HasMetadata",
            },
        ],
    }
    return {**values, **changes}


def document(*records, timestamp=2026):
    (kind,) = {one.kind for one in records}
    return batch_document(
        kind, [one.xml for one in records], batch_id="batch-1", timestamp=timestamp, depositor=WHO
    )


def texts(xml, path):
    return [one if isinstance(one, str) else one.text for one in etree.fromstring(xml).xpath(path, namespaces=NS)]


def test_a_dataset_says_what_datacite_was_told():
    record = record_of("10.5072/x", attributes())
    assert record.kind == "database"
    xml = document(record)
    assert texts(xml, "//c:database_metadata/c:titles/c:title") == ["The repository"]
    assert texts(xml, "//c:dataset/@dataset_type") == ["record"]
    assert texts(xml, "//c:dataset/c:titles/*") == ["Water <quality> & more", "A reservoir"]
    assert texts(xml, "//c:person_name/*[not(*)]") == [
        "Josiah",
        "Carberry",
        "https://orcid.org/0000-0002-1825-0097",
    ]
    assert texts(xml, "//c:institution/*") == ["Brown University", "https://ror.org/05gq02987"]
    assert texts(xml, "//c:contributors/*/@sequence") == ["first", "additional"]
    assert texts(xml, "//c:organization") == ["INDIGO-DataCloud"]
    assert texts(xml, "//c:publication_date/*") == ["03", "04", "2026"]
    assert texts(xml, "//c:description") == ["First. Second."]
    assert texts(xml, "//c:description/@language") == ["en"]
    assert texts(xml, "//c:publisher_item/c:identifier") == ["21.T99999/1"]
    assert texts(xml, "//a:license_ref") == ["https://creativecommons.org/licenses/by/4.0/"]
    assert texts(xml, "//r:inter_work_relation/@relationship-type") == ["isDocumentedBy"]
    assert texts(xml, "//r:intra_work_relation/@relationship-type") == ["replaces"]
    assert texts(xml, "//r:related_item/*") == ["10.5072/plan", "10.5072/before"]
    assert texts(xml, "//c:doi_data/*") == ["10.5072/x", "https://data.example.org/records/1"]


def test_a_plan_is_a_report():
    plan = record_of("10.5072/p", attributes(types={"resourceTypeGeneral": "OutputManagementPlan"}))
    assert plan.kind == "report-paper"
    xml = document(plan)
    assert texts(xml, "//c:report-paper_metadata/@language") == ["en"]
    assert texts(xml, "//j:abstract/j:p") == ["First.", "Second."]
    assert texts(xml, "//c:edition_number") == ["2"]
    assert texts(xml, "//c:publisher_name") == ["INDIGO"]


@pytest.mark.parametrize(
    ("general", "kind", "dataset_type"),
    [
        ("Dataset", "database", ["record"]),
        ("Collection", "database", ["collection"]),
        ("Software", "database", ["other"]),
        ("Workflow", "database", ["other"]),
        ("Report", "report-paper", []),
        ("Text", "report-paper", []),
    ],
)
def test_types(general, kind, dataset_type):
    record = record_of("10.5072/x", attributes(types={"resourceTypeGeneral": general}))
    assert record.kind == kind
    assert texts(document(record), "//c:dataset/@dataset_type") == dataset_type


@pytest.mark.parametrize(
    ("creator", "element"),
    [
        ({"name": "Plato", "nameType": "Personal"}, "person_name"),
        ({"name": "Plato"}, "organization"),
        ({"name": "R2, D2", "familyName": "R2", "givenName": "D2"}, "organization"),
        ({"name": "x" * 600}, "organization"),
        ({"name": "Who?", "familyName": "?", "nameType": "Personal"}, "organization"),
    ],
)
def test_names_fit_the_schema_whatever_they_are(creator, element):
    record = record_of("10.5072/x", attributes(creators=[creator]))
    xml = document(record)
    assert texts(xml, f"//c:contributors/c:{element}/@sequence") == ["first"]
    read_deposit(xml.encode())


def test_without_a_date_there_is_the_year():
    record = record_of("10.5072/x", attributes(dates=[], publicationYear=1999))
    assert texts(document(record), "//c:publication_date/*") == ["1999"]


def test_what_is_withdrawn_says_so_in_its_title():
    record = record_of("10.5072/x", attributes(), withdrawn=True)
    assert texts(document(record), "//c:dataset/c:titles/c:title") == ["WITHDRAWN: Water <quality> & more"]


def test_many_records_are_one_deposit_that_is_valid():
    records = [record_of(f"10.5072/{n}", attributes()) for n in range(5)]
    deposit = read_deposit(document(*records, timestamp=2026112212345678).encode())
    assert (deposit.batch_id, deposit.timestamp) == ("batch-1", 2026112212345678)
    assert [work.doi for work in deposit.works] == [f"10.5072/{n}" for n in range(5)]
    plans = [record_of(f"10.5072/{n}", attributes(types={"resourceTypeGeneral": "Report"})) for n in range(2)]
    assert [work.type for work in read_deposit(document(*plans).encode()).works] == ["report", "report"]


LINES = st.text(
    st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Co", "Cn"), exclude_characters="\ufffe\uffff"),
    min_size=1,
    max_size=80,
).filter(str.strip)


@given(title=LINES, family=LINES, given_name=LINES, description=LINES, publisher=LINES)
def test_whatever_people_write_makes_a_valid_deposit(title, family, given_name, description, publisher):
    record = record_of(
        "10.5072/x",
        attributes(
            titles=[{"title": title}],
            creators=[{"name": f"{family}, {given_name}", "familyName": family, "givenName": given_name}],
            descriptions=[{"description": description, "descriptionType": "Abstract"}],
            publisher={"name": publisher},
            types={"resourceTypeGeneral": "Report"},
        ),
    )
    assert read_deposit(document(record).encode()).works[0].doi == "10.5072/x"


@pytest.mark.parametrize(
    ("change", "pointer"),
    [({"publicationYear": 1200}, "/publicationYear"), ({"url": "https://x.org/" + "y" * 2048}, "/url")],
)
def test_what_the_schema_does_not_allow_is_known_before(change, pointer):
    assert [one.pointer for one in problems_for_crossref(attributes(**change))] == [pointer]
    assert problems_for_crossref(attributes()) == []
    with pytest.raises(Unprocessable):
        read_deposit(document(record_of("10.5072/x", attributes(dates=[], **change))).encode())


def test_timestamps_grow_whatever_the_clock_does():
    first = next_timestamp(NOW, 0)
    assert first == 2026112212345678
    assert next_timestamp(NOW, first) == first + 1
    assert next_timestamp(NOW - timedelta(days=1), first) == first + 1
    assert next_timestamp(NOW + timedelta(seconds=1), first) > first + 1
    assert first < 2**53


def test_a_batch_is_named_by_what_is_in_it_and_when():
    one = batch_id_of([("10.5072/a", 1), ("10.5072/b", 2)], 7)
    assert one == batch_id_of([("10.5072/b", 2), ("10.5072/a", 1)], 7)
    others = [batch_id_of([("10.5072/a", 1)], 7), batch_id_of([("10.5072/a", 1), ("10.5072/b", 3)], 7)]
    assert len({one, *others, batch_id_of([("10.5072/a", 1), ("10.5072/b", 2)], 8)}) == 4
    assert file_name(one) == f"{one}.xml"
