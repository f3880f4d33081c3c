from __future__ import annotations

import pytest
from indigo_contracts.dmp import Person, PlannedOutput
from indigo_contracts.repository import RecordFile, RecordSnapshot
from indigo_integrity.domain.licenses import same_license
from indigo_integrity.domain.plan_match import differences

CC_BY = "https://creativecommons.org/licenses/by/4.0/"


def an_output(**changes) -> PlannedOutput:
    return PlannedOutput.model_validate({"key": "water", "kind": "dataset", "title": "Water"} | changes)


def a_record(**changes) -> RecordSnapshot:
    values = {
        "record_id": "r1",
        "kind": "dataset",
        "state": "published",
        "version": 1,
        "title": "Water",
        "publisher": "P",
        "url": "u",
        "api_url": "u",
    }
    return RecordSnapshot.model_validate(values | changes)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (CC_BY, "http://creativecommons.org/licenses/by/4.0/legalcode", True),
        (CC_BY, "https://creativecommons.org/licenses/by/4.0/deed.it", True),
        (CC_BY, "https://spdx.org/licenses/CC-BY-4.0", True),
        (CC_BY, "https://spdx.org/licenses/CC-BY-4.0.html", True),
        (CC_BY, "CC-BY-4.0", True),
        (CC_BY, "https://creativecommons.org/licenses/by/3.0/", False),
        (CC_BY, "https://creativecommons.org/licenses/by-nc/4.0/", False),
        ("https://creativecommons.org/licenses/by/3.0/igo/", "https://spdx.org/licenses/CC-BY-3.0-IGO", True),
        ("https://creativecommons.org/publicdomain/zero/1.0/", "https://spdx.org/licenses/CC0-1.0", True),
        ("https://opensource.org/licenses/MIT", "https://spdx.org/licenses/MIT.json", True),
        ("https://opensource.org/license/mit", "MIT", True),
        ("https://www.apache.org/licenses/LICENSE-2.0.txt", "https://spdx.org/licenses/Apache-2.0", True),
        ("https://spdx.org/licenses/GPL-3.0-only", "https://spdx.org/licenses/GPL-3.0-or-later", False),
        ("https://example.org/License/", "http://example.org/license", True),
    ],
)
def test_licenses(one, other, same) -> None:
    assert same_license(one, other) is same
    assert same_license(other, one) is same


@pytest.mark.parametrize(
    ("name", "planned", "published", "found"),
    [
        ("title", {"title": "Water  QUALITY"}, {"title": "water quality"}, []),
        ("title", {"title": "Water"}, {"title": "Air"}, [("Water", "Air")]),
        ("license", {"license": CC_BY}, {"license": None}, [(CC_BY, None)]),
        ("license", {"license": None}, {"license": CC_BY}, None),
        ("access", {"access": "open"}, {"access": "closed"}, [("open", "closed")]),
        ("language", {"language": "eng"}, {"language": "en-GB"}, []),
        ("language", {"language": "it"}, {"language": "en"}, [("it", "en")]),
        ("keywords", {"keywords": ["Lake", "water"]}, {"keywords": ["lake"]}, [("water", ["lake"])]),
        (
            "creators",
            {"creators": [{"name": "Ana Lopez"}, {"name": "Bo"}]},
            {"creators": [{"name": "Lopez, Ana"}]},
            [("Bo", ["Lopez, Ana"])],
        ),
        (
            "creators",
            {"creators": [{"name": "A. L.", "identifier": "0000-0002-1825-0097"}]},
            {"creators": [{"name": "Ana", "identifier": "https://orcid.org/0000-0002-1825-0097"}]},
            [],
        ),
        (
            "creators",
            {"creators": [{"name": "Ana", "identifier": "https://orcid.org/0000-0002-1825-0097"}]},
            {"creators": [{"name": "Ana", "identifier": "https://orcid.org/0000-0001-5109-3700"}]},
            [("Ana", ["Ana"])],
        ),
    ],
)
def test_properties(name, planned, published, found) -> None:
    findings, compared = differences(an_output(**planned), a_record(**published), [name])
    assert compared == (0 if found is None else 1)
    assert [(each.expected, each.observed) for each in findings] == (found or [])
    assert all(each.location == {"property": name} for each in findings)


def test_formats() -> None:
    file = RecordFile(key="a", size=1, sha256="0", mimetype="Text/CSV; charset=utf-8", url="u")
    record = a_record(files=[file])
    findings, _ = differences(an_output(formats=["text/csv", "application/netcdf"]), record, ["format"])
    assert [(each.expected, each.observed) for each in findings] == [("application/netcdf", ["text/csv"])]


def test_nothing_there_is_another_code_than_something_else() -> None:
    output = an_output(license=CC_BY, creators=[Person(name="Ana")])
    findings, _ = differences(output, a_record(), ["license", "creators"])
    assert [each.code for each in findings] == ["metadata-missing", "metadata-missing"]
