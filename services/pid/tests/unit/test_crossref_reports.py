"""Reports on deposits, and what the sandbox makes of a deposit."""

from __future__ import annotations

from decimal import Decimal

import pytest
from indigo_pid.crossref.reports import RecordReport, Verdict, read_report
from indigo_pid.sandbox.crossref.processing import Deposit, Line, Unprocessable, Work, judge, read_deposit, report

OLDER = (
    "Record not processed because submitted version: 1385985547 is less or equal to previously submitted version"
    " (DOI match)"
)
COMPLETED = f"""<?xml version="1.0" encoding="UTF-8"?>
<doi_batch_diagnostic status="completed" sp="cs3">
  <submission_id>1362802354</submission_id>
  <batch_id>123456</batch_id>
  <record_diagnostic status="Success"><doi>10.5555/A</doi><msg>Successfully added</msg></record_diagnostic>
  <record_diagnostic status="Warning">
    <doi>10.5555/b</doi><msg>Added with
      conflict</msg><conflict_id>1423608</conflict_id>
  </record_diagnostic>
  <record_diagnostic status="Failure" msg_id="4"><doi>10.5555/c</doi><msg>{OLDER}</msg></record_diagnostic>
  <batch_data><record_count>3</record_count></batch_data>
</doi_batch_diagnostic>"""


def test_a_report_names_every_record():
    read = read_report(COMPLETED.encode())
    assert read.is_complete
    assert read.of("10.5555/a") == RecordReport("10.5555/A", Verdict.SUCCESS, "Successfully added")
    assert read.of("10.5555/b").message == "Added with conflict"
    assert [one.is_older for one in read.records] == [False, False, True]
    assert read.of("10.5555/d") is None


def test_a_document_that_is_refused_is_refused_for_each_of_its_dois():
    read = read_report(report("completed", 1, "", [Line("", "Failure", "MalformedXmlException")]).encode())
    assert read.of("10.5555/a").message == "MalformedXmlException"


@pytest.mark.parametrize(
    ("status", "unknown"), [("queued", False), ("in_process", False), ("unknown_submission", True)]
)
def test_a_deposit_that_is_not_processed(status, unknown):
    read = read_report(report(status, 0, "").encode())
    assert (read.is_complete, read.is_unknown, read.records) == (False, unknown, ())


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html><body>busy</body></html>",
        b"<doi_batch_diagnostic/>",
        b"<html/>",
        b"\xff\xfe",
        b'<doi_batch_diagnostic status="completed"><record_diagnostic status="?"/></doi_batch_diagnostic>',
        b'<!DOCTYPE x [<!ENTITY a "b">]><doi_batch_diagnostic status="queued"/>',
    ],
)
def test_what_is_no_report_is_no_success(document):
    with pytest.raises(ValueError):
        read_report(document)


BOMB = (
    b'<!DOCTYPE lolz [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]><doi_batch>&b;</doi_batch>'
)


@pytest.mark.parametrize(
    ("document", "told"),
    [
        (BOMB, "no document type declaration"),
        (b'<!DOCTYPE x SYSTEM "file:///etc/passwd"><doi_batch/>', "no document type declaration"),
        (b"x" * (10 * 1024 * 1024 + 1), "at most"),
        (b"<doi_batch>", "not well-formed"),
        (b"\xff", "UTF-8"),
        (b"<doi_batch/>", "Error: Element 'doi_batch'"),
        (b'<doi_batch xmlns="http://www.crossref.org/schema/5.3.0"/>', "Missing child"),
    ],
)
def test_what_the_sandbox_does_not_process(document, told):
    with pytest.raises(Unprocessable, match=told):
        read_deposit(document)


def test_the_sandbox_judges_each_record():
    works = tuple(Work(doi, "https://x.org/", "t", "dataset") for doi in ("10.1/a", "10.1/b", "10.2/c", "10.1/a"))
    lines = judge(Deposit("b", Decimal(5), works), {"10.1/b": Decimal(5)}, {"10.1"})
    assert [line.status for line in lines] == ["Success", "Failure", "Failure", "Failure"]
    assert lines[0].message == "Successfully added"
    assert read_report(report("completed", 1, "b", lines).encode()).records[1].is_older
    assert lines[2].message == "User not allowed to add records for prefix: 10.2"
    newer = judge(Deposit("b", Decimal(6), works[1:2]), {"10.1/b": Decimal(5)}, {"10.1"})
    assert newer[0].message == "Successfully updated"
