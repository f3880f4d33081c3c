"""Columns and tests in words."""

import pytest
from indigo_contracts.dmp import ContentTest, ExistenceTest, ExpectedOutput, MetadataTest, ProcessingTest
from indigo_contracts.structure import FieldSpec
from indigo_dmp.web.wording import rules_of, sentence_of


@pytest.mark.parametrize(
    ("field", "rules"),
    [
        ({}, []),
        ({"required": True, "unique": True}, ["required", "unique"]),
        ({"minimum": 25, "maximum": 70.5}, ["25 to 70.5"]),
        ({"minimum": 0}, ["0 or more"]),
        ({"maximum": "2026-12-31"}, ["2026-12-31 or less"]),
        ({"maximum": 7_500_000}, ["7500000 or less"]),
        ({"min_length": 2, "max_length": 8}, ["2 to 8 characters"]),
        ({"pattern": "[A-Z]+", "format": "%d.%m.%Y"}, ["matches [A-Z]+", "written as %d.%m.%Y"]),
    ],
)
def test_rules_of_a_column(field, rules):
    assert rules_of(FieldSpec(name="a", **field)) == rules


READ_BACK = "Every file of the record is there{}, and reads back with the checksum it came with."


@pytest.mark.parametrize(
    ("test", "sentence"),
    [
        (ExistenceTest(key="t"), READ_BACK.format("")),
        (ExistenceTest(key="t", min_bytes=9), READ_BACK.format(", 9 bytes at least")),
        (ExistenceTest(key="t", files=["a"]), READ_BACK.format("") + " a is among them."),
        (ExistenceTest(key="t", files=["a", "b", "c"]), READ_BACK.format("") + " a, b and c are among them."),
        (
            MetadataTest(key="t"),
            "The record says what the plan says about title, license, access and format.",
        ),
        (MetadataTest(key="t", properties=[]), "Nothing of the record is compared with the plan."),
        (ContentTest(key="t"), "Every table has the structure above."),
        (ContentTest(key="t", tables=["a"]), "a has the structure above."),
        (ContentTest(key="t", tables=["a", "b"]), "a and b have the structure above."),
        (
            ProcessingTest(
                key="t",
                software="s",
                command=["run"],
                outputs=[
                    ExpectedOutput(path="a.csv", compare="csv", reference="r.csv", rtol=1e-6),
                    ExpectedOutput(path="b", compare="exists"),
                ],
            ),
            "The software s, run on the data without a network, produces a.csv like r.csv, compared as a table, numbers within rtol 1e-06; b, compared as to whether it is there. It may take 120 s and 1024 MB of memory.",
        ),
    ],
)
def test_what_a_test_asks(test, sentence):
    assert sentence_of(test) == sentence
