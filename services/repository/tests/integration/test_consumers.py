"""What the repository makes of other services' facts: once each, in whatever order."""

from datetime import UTC, date, datetime, timedelta

import pytest
import sqlalchemy as sa
from indigo_contracts.dmp import (
    OutputKind,
    Person,
    PlannedOutput,
    PlanPublished,
    PlanSnapshot,
    PlanState,
    PlanWithdrawn,
    TestLevel,
)
from indigo_contracts.envelope import Actor
from indigo_contracts.integrity import DamagedFile, FixityFailed, RunFinished, RunSnapshot, RunState, Verdict
from indigo_contracts.pid import IdentifierMinted, IdentifierSnapshot, IdentifierState
from indigo_contracts.qos import (
    Locality,
    PlacedObject,
    TransitionCompleted,
    TransitionSnapshot,
    TransitionState,
)
from indigo_contracts.repository import PlanLink
from indigo_kernel.bus.ports import TransientError

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
OWNER = Actor(iss="https://issuer.example.org", sub="ada")


def plan(*, version=3, edition=1, title="Beetle plan", outputs=("beetles",)):
    return PlanSnapshot(
        plan_id="plan-1",
        version=version,
        edition=edition,
        state=PlanState.PUBLISHED,
        title=title,
        contact=Person(name="Ada", identifier="https://orcid.org/0000-0002-1825-0097", email="ada@example.org"),
        created=NOW,
        modified=NOW,
        published_at=NOW,
        url="https://dmp.example.org/plans/plan-1",
        outputs=[
            PlannedOutput(
                key=key,
                kind=OutputKind.DATASET,
                title=f"{key} of {title}",
                license="https://creativecommons.org/publicdomain/zero/1.0/",
                due=date(2026, 6, 1),
            )
            for key in outputs
        ],
        madmp={"dmp": {"title": title, "dataset": [], "ethical_issues_exist": "no"}},
    )


def published(**changes):
    return PlanPublished(plan=plan(**changes), actor=OWNER)


@pytest.fixture
def ada(suite):
    return suite.as_("ada")


async def reserved(suite, ada, key="beetles"):
    found = await suite.http.get("/api/records", params={"plan": "plan-1", "output": key}, headers=ada)
    (hit,) = found.json()["hits"]["hits"]
    return hit


async def test_a_published_plan_is_deposited_and_its_outputs_reserved(suite, ada):
    envelope = await suite.give(published(outputs=("beetles", "code")))
    await suite.deliver(envelope)  # the same event again
    await suite.give(published(outputs=("beetles", "code")))  # the same state in another event
    assert await suite.work("publish") == 1
    assert await suite.fact_names() == ["repository.record.reserved.v1"] * 2 + ["repository.record.published.v1"]
    (fact,) = await suite.facts("repository.record.published.v1")
    record = fact["record"]
    assert (record["kind"], record["plan"]) == ("dmp", {"plan_id": "plan-1", "edition": 1})
    file = await suite.http.get(f"/api/records/{record['record_id']}/files/plan.json/content")
    assert file.json() == plan().madmp
    page = await suite.http.get(f"/records/{record['record_id']}", headers={"accept": "text/html"})
    assert 'href="https://dmp.example.org/plans/plan-1"' in page.text
    hit = await reserved(suite, ada)
    assert (hit["is_draft"], hit["metadata"]["title"]) == (True, "beetles of Beetle plan")
    assert "ada@example.org" not in str(hit)
    hidden = await suite.http.get("/api/records", params={"plan": "plan-1", "output": "beetles"})
    assert hidden.json()["hits"]["total"] == 0


async def test_a_new_edition_is_the_next_version_of_the_same_object(suite, ada):
    await suite.give(published())
    await suite.give(published(version=5, edition=2, title="Better plan", outputs=("beetles", "code")))
    await suite.give(published(version=3, edition=1))  # late and old
    assert await suite.work("publish") >= 1
    suite.runtime.database.clock.advance(timedelta(seconds=5))
    await suite.work("publish")
    first, second = await suite.facts("repository.record.published.v1")
    assert second["record"]["previous"] == first["record"]["record_id"]
    assert second["record"]["edition"] == 2
    objects = list((suite.settings.storage_dir / "ocfl-root").rglob("0=ocfl_object_1.1"))
    assert len(objects) == 1
    assert sorted(path.name for path in objects[0].parent.glob("v*")) == ["v1", "v2"]
    assert len(await suite.facts("repository.record.reserved.v1")) == 2
    hit = await reserved(suite, ada)
    assert (hit["metadata"]["title"], hit["plan"]["edition"]) == ("beetles of Better plan", 2)
    old = (await suite.http.get(f"/api/records/{first['record']['record_id']}")).json()
    assert old["versions"]["is_latest"] is False
    found = (await suite.http.get("/api/records", params={"kind": "dmp"})).json()["hits"]["hits"]
    assert [hit["versions"]["is_latest"] for hit in found] == [True, False]


async def test_an_edited_draft_keeps_its_words_in_a_new_edition(suite, ada):
    await suite.give(published())
    hit = await reserved(suite, ada)
    url = f"/api/records/{hit['id']}/draft"
    body = {"metadata": {"title": "My words"}}
    tag = f'"v{hit["revision_id"]}"'
    assert (await suite.http.put(url, json=body, headers=ada | {"if-match": tag})).status_code == 200
    await suite.give(published(version=5, edition=2, title="Better plan"))
    assert (await reserved(suite, ada))["metadata"]["title"] == "My words"


async def test_a_reserved_draft_that_is_thrown_away_is_told_of(suite, ada):
    await suite.give(published())
    hit = await reserved(suite, ada)
    answer = await suite.http.delete(
        f"/api/records/{hit['id']}/draft", headers=ada | {"if-match": f'"v{hit["revision_id"]}"'}
    )
    assert answer.status_code == 204, answer.text
    (begun,) = await suite.facts("repository.record.reserved.v1")
    (gone,) = await suite.facts("repository.record.discarded.v1")
    assert gone["record"]["record_id"] == begun["record"]["record_id"] == hit["id"]
    assert gone["record"]["plan"] == begun["record"]["plan"]
    assert gone["record"]["state"] == "draft"
    assert gone["record"]["version"] > begun["record"]["version"]
    assert gone["actor"]["sub"] == "ada"
    await suite.give(published(version=5, edition=2))
    assert (await reserved(suite, ada))["id"] != hit["id"]


async def test_the_files_of_a_draft_that_is_thrown_away_are_read_once(suite, ada):
    await suite.give(published())
    hit = await reserved(suite, ada)
    await suite.upload(ada, hit["id"], "a.csv", b"a,b")
    url = f"/api/records/{hit['id']}/draft"
    tag = (await suite.http.get(url, headers=ada)).headers["etag"]
    told: list[str] = []

    @sa.event.listens_for(suite.runtime.database.engine.sync_engine, "before_cursor_execute")
    def note(_connection, _cursor, statement: str, *_others: object) -> None:
        told.append(statement)

    assert (await suite.http.delete(url, headers=ada | {"if-match": tag})).status_code == 204
    assert len([one for one in told if "FROM files" in one and one.startswith("SELECT")]) == 1
    (gone,) = await suite.facts("repository.record.discarded.v1")
    assert [file["key"] for file in gone["record"]["files"]] == ["a.csv"]


async def test_nobody_is_told_of_a_draft_nobody_was_told_of(suite, ada):
    url = f"/api/records/{await suite.draft(ada)}/draft"
    tag = (await suite.http.get(url, headers=ada)).headers["etag"]
    assert (await suite.http.delete(url, headers=ada | {"if-match": tag})).status_code == 204
    assert await suite.facts() == []


async def test_a_withdrawn_plan_takes_its_own_record_along(suite, ada):
    await suite.give(published())
    await suite.work("publish")
    withdrawn = PlanWithdrawn(plan=plan(version=4), reason="superseded", actor=OWNER)
    envelope = await suite.give(withdrawn)
    await suite.deliver(envelope)
    await suite.give(withdrawn)
    (fact,) = await suite.facts("repository.record.withdrawn.v1")
    assert fact["reason"] == "superseded"
    assert (await reserved(suite, ada))["is_draft"] is True
    await suite.give(published())  # late
    assert await suite.work("publish") == 0


async def test_a_plan_withdrawn_while_it_is_preserved_ends_withdrawn(suite):
    await suite.give(published())
    await suite.give(PlanWithdrawn(plan=plan(version=4), reason="superseded", actor=OWNER))
    await suite.work("publish")
    assert (await suite.fact_names())[-2:] == ["repository.record.published.v1", "repository.record.withdrawn.v1"]


def identifier(record_id=None, *, version=1, doi=None, link=None):
    return IdentifierMinted(
        identifier=IdentifierSnapshot(
            handle="21.T99999/x",
            ark="ark:/99999/x",
            doi=doi,
            state=IdentifierState.RESERVED,
            version=version,
            record_id=record_id,
            plan=link,
            resolver_url="https://pid.example.org/21.T99999/x",
        )
    )


async def test_identifiers_are_shown_and_older_ones_do_not_come_back(suite, ada):
    record_id = await suite.draft(ada)
    await suite.upload(ada, record_id, "a.txt", b"a")
    await suite.give(identifier(record_id))
    draft = (await suite.http.get(f"/api/records/{record_id}/draft", headers=ada)).json()
    assert draft["pids"] == {"handle": {"identifier": "21.T99999/x"}, "ark": {"identifier": "ark:/99999/x"}}
    assert await suite.facts("repository.record.updated.v1") == []
    await suite.publish(ada, record_id)
    await suite.give(identifier(record_id, version=3, doi="10.5072/x"))
    await suite.give(identifier(record_id, version=2))
    (fact,) = await suite.facts("repository.record.updated.v1")
    assert fact["record"]["identifiers"]["doi"] == "10.5072/x"
    page = await suite.http.get(f"/records/{record_id}", headers={"accept": "text/html"})
    assert '<https://doi.org/10.5072/x>; rel="cite-as"' in page.headers["link"]


async def test_an_identifier_by_plan_waits_for_its_plan(suite, ada):
    minted = identifier(link=PlanLink(plan_id="plan-1", edition=1, output="beetles"))
    with pytest.raises(TransientError):
        await suite.give(minted, event_id="0199-early")
    await suite.give(published())
    await suite.give(minted, event_id="0199-early")
    assert (await reserved(suite, ada))["pids"]["handle"]["identifier"] == "21.T99999/x"


def run(record_id, *, verdict, finished, run_id="run-1"):
    return RunFinished(
        run=RunSnapshot(
            run_id=run_id,
            test="files-there",
            level=TestLevel.EXISTENCE,
            title="Files are there",
            record_id=record_id,
            trigger="published",
            state=RunState.FINISHED,
            verdict=verdict,
            requested_at=NOW,
            finished_at=finished,
            report_url="https://integrity.example.org/runs/run-1",
        )
    )


async def test_the_latest_verdict_of_a_test_is_shown(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a"})
    await suite.give(run(record_id, verdict=Verdict.FAIL, finished=NOW + timedelta(hours=1), run_id="run-2"))
    await suite.give(run(record_id, verdict=Verdict.PASS, finished=NOW))  # older, arrives later
    shown = (await suite.http.get(f"/api/records/{record_id}")).json()["tests"]
    assert [(test["test"], test["verdict"]) for test in shown] == [("files-there", "fail")]
    page = await suite.http.get(f"/records/{record_id}", headers={"accept": "text/html"})
    assert 'class="badge badge-fail"' in page.text
    events = (await suite.http.get(f"/api/records/{record_id}/premis")).json()["items"]
    assert [e["eventOutcome"] for e in events if e["eventType"].endswith("/val")] == ["failure", "success"]


async def test_a_placed_copy_is_logged(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a"})
    await suite.give(
        TransitionCompleted(
            transition=TransitionSnapshot(
                transition_id="t-1",
                path=f"/records/{record_id}/",
                target_class="DiskAndTape",
                state=TransitionState.COMPLETED,
                record_id=record_id,
                objects=[
                    PlacedObject(
                        path=f"/records/{record_id}/a.txt",
                        size=1,
                        storage_class="DiskAndTape",
                        locality=Locality.DISK_AND_TAPE,
                    )
                ],
                requested_at=NOW,
                finished_at=NOW,
            )
        )
    )
    events = (await suite.http.get(f"/api/records/{record_id}/premis")).json()["items"]
    assert events[-1]["eventType"].endswith("/rep")
    assert events[-1]["eventDetailInformation"]["localities"] == ["DISK_AND_TAPE"]


async def test_reported_damage_is_verified_here_and_stated(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a", "b.txt": b"b"})
    failure = FixityFailed(
        run_id="run-9",
        record_id=record_id,
        files=[DamagedFile(file="a.txt", problem="changed", expected_sha256="0" * 64)],
        checked_at=NOW,
    )
    await suite.give(failure)
    assert await suite.work("verify") == 1
    assert await suite.facts("repository.file.corrupted.v1") == []  # the bytes here are good
    suite.stored("a.txt").write_bytes(b"x")
    envelope = await suite.give(failure)
    await suite.deliver(envelope)
    assert await suite.work("verify") == 1
    (fact,) = await suite.facts("repository.file.corrupted.v1")
    assert (fact["file"], fact["problem"]) == ("a.txt", "changed")
    listed = (await suite.http.get(f"/api/records/{record_id}/files")).json()["entries"]
    assert {file["key"]: file["damage"] for file in listed} == {"a.txt": "changed", "b.txt": None}


async def test_facts_about_records_nobody_knows_change_nothing(suite):
    await suite.give(run("nobody", verdict=Verdict.PASS, finished=NOW))
    await suite.give(identifier("nobody"))
    await suite.give(FixityFailed(run_id="r", record_id="nobody", files=[], checked_at=NOW))
    assert await suite.work("verify") == 0
    assert await suite.fact_names() == []


async def test_files_that_others_read_well_again_are_verified_and_cleared(suite, ada):
    record_id = await suite.published(ada, {"a.txt": b"a"})
    stored = suite.stored("a.txt")
    stored.write_bytes(b"x")
    damaged = DamagedFile(file="a.txt", problem="changed", expected_sha256="0" * 64)
    await suite.give(FixityFailed(run_id="run-1", record_id=record_id, files=[damaged], checked_at=NOW))
    assert await suite.work("verify") == 1
    stored.write_bytes(b"a")
    await suite.give(run(record_id, verdict=Verdict.PASS, finished=NOW))
    assert await suite.work("verify") == 1
    (fact,) = await suite.facts("repository.file.repaired.v1")
    assert fact["file"] == "a.txt"
    (listed,) = (await suite.http.get(f"/api/records/{record_id}/files")).json()["entries"]
    assert listed["damage"] is None
    await suite.give(run(record_id, verdict=Verdict.PASS, finished=NOW))
    assert await suite.work("verify") == 0  # nothing is marked any more
