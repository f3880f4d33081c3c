"""The page of a plan: what a browser gets at the address of a plan."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import pytest
from indigo_contracts.dmp import TestLevel
from indigo_contracts.integrity import DamagedFile, FixityFailed, RunFinished, RunSnapshot, RunState, Verdict
from indigo_contracts.repository import PlanLink

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


async def page_of(service: Any, path: str, subject: str | None = None) -> Any:
    async with service.client(subject) as http:
        return await http.get(path, headers=BROWSER)


async def draft(service: Any, plan: dict[str, Any]) -> str:
    async with service.client("ada") as http:
        plan_id: str = (await http.post("/dmps", json=plan)).json()["id"]
    return plan_id


def finished(plan_id: str, service: Any, verdict: Verdict) -> RunFinished:
    now = service.clock.now()
    return RunFinished(
        run=RunSnapshot(
            run_id="run-1",
            test="columns",
            level=TestLevel.CONTENT,
            title="columns",
            record_id="r1",
            plan=PlanLink(plan_id=plan_id, edition=1, output="counts"),
            trigger="published",
            state=RunState.FINISHED,
            verdict=verdict,
            summary="12 rows are <as> planned",
            requested_at=now,
            finished_at=now,
            report_url="http://integrity.test/runs/run-1",
        )
    )


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "application/json, text/html;q=0.9"])
async def test_json_is_what_programs_get(service: Any, plan: dict[str, Any], accept: str | None) -> None:
    plan_id = await service.published(plan)
    async with service.client() as http:
        answer = await http.get(f"/plans/{plan_id}", headers={"accept": accept} if accept else {})
        assert answer.headers["content-type"] == "application/json"
        assert "Accept" in answer.headers["vary"]
        unchanged = await http.get(f"/plans/{plan_id}", headers={"if-none-match": answer.headers["etag"]})
    assert unchanged.status_code == 304


async def test_the_page_tells_the_whole_plan(service: Any, plan: dict[str, Any]) -> None:
    dataset = plan["dmp"]["dataset"][0]
    dataset["indigo"]["taxa"] = [{"scientific_name": "Carabus auratus", "vernacular_name": "golden ground beetle"}]
    plan["dmp"]["project"] = [
        {
            "title": "Valley survey",
            "start": "2026-01-01",
            "funding": [
                {
                    "funder_id": {"identifier": "https://ror.org/00k4n6c32", "type": "ror"},
                    "grant_id": {"identifier": "G-7", "type": "other"},
                    "funding_status": "granted",
                }
            ],
        }
    ]
    plan_id = await service.published(plan)
    answer = await page_of(service, f"/plans/{plan_id}")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/html")
    assert "Accept" in answer.headers["vary"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for told in (
        "Beetles of the valley",
        "Ada Field (2026). Beetles of the valley. Data management plan, edition 1.",
        'href="https://orcid.org/0000-0002-1825-0097"',
        "Valley survey",
        "from 2026-01-01",
        "https://ror.org/00k4n6c32, grant G-7, granted",
        "Carabus auratus",
        "golden ground beetle",
        "DiskAndTape",
        "0 or more",
        "one row per site",
        "Every table has the structure above.",
        "The software summing, run on the data without a network, produces totals.csv like totals.csv",
        "0 of 10 promises kept, 10 planned",
        "2026-06-30",
        f'href="http://dmp.test/dmps/{plan_id}"',
        f'href="http://dmp.test/plans/{plan_id}/versions/2"',
    ):
        assert told in answer.text, told
    assert "ada@example.org" not in answer.text
    described = json.loads(re.search(r'ld\+json">(.*?)</script>', answer.text, re.DOTALL)[1])  # type: ignore[index]
    assert described["@id"] == described["url"] == f"http://dmp.test/plans/{plan_id}"
    assert [part["@type"] for part in described["hasPart"]] == ["Dataset", "SoftwareSourceCode"]
    assert [one["name"] for one in described["hasPart"][0]["variableMeasured"]] == ["site", "n"]


async def test_the_ledger_shows_state_evidence_and_where_to_look(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    await service.deliver(finished(plan_id, service, Verdict.PASS))
    service.clock.advance(timedelta(hours=1))
    damage = DamagedFile(file="counts.csv", problem="changed", expected_sha256="a" * 64, observed_sha256="b" * 64)
    link = PlanLink(plan_id=plan_id, edition=1, output="counts")
    now = service.clock.now()
    await service.deliver(FixityFailed(record_id="r1", run_id="run-2", plan=link, checked_at=now, files=[damage]))
    text = (await page_of(service, f"/plans/{plan_id}")).text
    assert "1 of 10 promises kept, 2 broken, 7 planned" in text
    assert "12 rows are &lt;as&gt; planned" in text
    assert 'href="http://integrity.test/runs/run-1"' in text
    assert "Files of record r1 are damaged: counts.csv" in text
    assert "2026-02-01 13:00 UTC" in text


async def test_text_in_a_plan_is_only_text(service: Any, plan: dict[str, Any]) -> None:
    plan["dmp"]["title"] = "</title></script><script>alert(1)</script>"
    plan["dmp"]["contact"]["contact_id"]["identifier"] = "javascript:alert(2)//://"
    plan["dmp"]["dataset"][0]["indigo"]["structure"]["tables"][0]["fields"][0]["term"] = "javascript:alert(3)"
    plan_id = await service.published(plan)
    text = (await page_of(service, f"/plans/{plan_id}")).text
    assert text.count("<script") == text.count("</script>") == 1  # the description
    assert 'href="javascript' not in text


async def test_a_draft_is_a_page_for_its_owner_alone(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await draft(service, plan)
    mine = await page_of(service, f"/plans/{plan_id}", "ada")
    assert mine.status_code == 200
    assert "This is a draft" in mine.text
    assert "Cite as" not in mine.text
    missing = await page_of(service, "/plans/no-such-plan", "bob")
    for subject in ("bob", None):
        theirs = await page_of(service, f"/plans/{plan_id}", subject)
        assert theirs.status_code == 404
        assert theirs.text == missing.text.replace("no-such-plan", plan_id)
        assert "Beetles" not in theirs.text


async def test_a_withdrawn_plan_is_a_tombstone_page(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    async with service.client("ada") as http:
        body = {"reason": "The valley is <closed>"}
        await http.post(f"/plans/{plan_id}/withdraw", json=body, headers={"if-match": '"v2"'})
    for path in (f"/plans/{plan_id}", f"/plans/{plan_id}/versions/2"):
        answer = await page_of(service, path)
        assert answer.status_code == 410
        assert "<h1>Beetles of the valley</h1>" in answer.text
        assert "The valley is &lt;closed&gt;" in answer.text
        assert "noindex" in answer.text
    mine = await page_of(service, f"/plans/{plan_id}", "ada")
    assert mine.status_code == 200
    assert "This plan was withdrawn" in mine.text
    assert "promises kept" not in mine.text


async def test_versions_are_pages_of_their_own(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    plan["dmp"]["title"] = "Beetles of two valleys"
    async with service.client("ada") as http:
        await http.put(f"/dmps/{plan_id}", json=plan)
    mine = (await page_of(service, f"/plans/{plan_id}", "ada")).text
    assert "<h1>Beetles of two valleys</h1>" in mine
    assert "You see changes that are not published. Others see edition 1." in mine
    assert "Beetle counts</th>" in mine  # the ledger is that of the published edition
    public = (await page_of(service, f"/plans/{plan_id}")).text
    assert "<h1>Beetles of the valley</h1>" in public
    assert "/versions/3" not in public
    old = await page_of(service, f"/plans/{plan_id}/versions/2")
    assert old.status_code == 200
    assert "This is version 2, as it was." in old.text
    assert f'edition 1. <a href="http://dmp.test/plans/{plan_id}/versions/2"' in old.text
    for path, subject in ((f"/plans/{plan_id}/versions/3", None), (f"/plans/{plan_id}/versions/9", "ada")):
        missing = await page_of(service, path, subject)
        assert missing.status_code == 404
        assert "has no version" in missing.text
        assert "<h1>" in missing.text


async def test_head_answers_as_the_page(service: Any, plan: dict[str, Any]) -> None:
    plan_id = await service.published(plan)
    async with service.client() as http:
        answer = await http.head(f"/plans/{plan_id}", headers=BROWSER)
    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-type"].startswith("text/html")
