"""Stories that go on after every promise was kept: a further edition, a withdrawal, a repair."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from indigo_suite.damage import damage, stored_file
from indigo_suite.researcher import MADMP, Plan, Researcher, names_of
from indigo_testing.deployments import Standalone, free_block, standalone
from indigo_testing.story import FOLDERS, by_name, draft_plan, eventually, reserved, settled


@pytest.fixture(scope="module")
def suite(tmp_path_factory) -> Iterator[Standalone]:
    with standalone(tmp_path_factory.mktemp("suite"), free_block()) as running:
        yield running


@dataclass(frozen=True)
class Kept:
    """A published plan whose every promise is kept, and its records by output."""

    plan: Plan
    records: dict[str, str]


@pytest_asyncio.fixture
async def kept(researcher: Researcher, example: Path, tmp_path: Path) -> Kept:
    document = json.loads(await asyncio.to_thread((example / "plan.json").read_text))
    plan = await researcher.publish_plan(await draft_plan(researcher, document, tmp_path))
    drafts = await reserved(researcher, plan)
    for output, folder in FOLDERS.items():
        await researcher.deposit(drafts[output], example / folder)
    await settled(researcher, plan)
    return Kept(plan, drafts)


async def plan_records(researcher: Researcher, plan: Plan) -> list[dict[str, Any]]:
    return [record for record in await researcher.records(plan) if record["kind"] == "dmp"]


async def test_a_further_edition_promises_another_storage_class(researcher: Researcher, kept: Kept) -> None:
    address = f"{researcher.at.dmp}/dmps/{kept.plan.plan_id}"
    read = await researcher.call("GET", address)
    dmp = read.json()["dmp"]
    dmp["dataset"][1]["indigo"]["storage"]["storage_class"] = "DiskAndTape"
    written = await researcher.call(
        "PUT",
        address,
        content=json.dumps({"dmp": dmp}),
        headers={"content-type": MADMP, "if-match": read.headers["etag"]},
    )
    plan = await researcher.publish_plan(Plan(kept.plan.plan_id, written.headers["etag"]))

    async def look() -> dict[str, dict[str, Any]]:
        return by_name(await researcher.promises(plan))

    def is_moved(ledger: dict[str, dict[str, Any]]) -> bool:
        storage = ledger["summary-program/storage"]
        classes = ((storage["evidence"] or {}).get("details") or {}).get("observed_classes")
        return storage["state"] == "kept" and classes == ["DiskAndTape"]

    ledger = await eventually(look, is_moved, "the program on tape")
    assert ledger["summary-program/storage"]["title"].endswith("stored as DiskAndTape")
    assert {name for name, promise in ledger.items() if promise["state"] == "broken"} == set()
    found = await researcher.get(f"{researcher.at.qos}/api/transitions", record=kept.records["summary-program"])
    assert [(each["target_class"], each["state"]) for each in found["items"]] == [
        ("DiskAndTape", "COMPLETED"),
        ("DiskOnly", "COMPLETED"),
    ]

    async def editions() -> list[int]:
        return sorted(record["versions"]["index"] for record in await plan_records(researcher, plan))

    await eventually(editions, lambda seen: seen == [1, 2], "a second version of the plan's record")
    newest = max(await plan_records(researcher, plan), key=lambda record: record["versions"]["index"])
    url = f"{researcher.at.repository}/api/records/{newest['id']}/files/plan.json/content"
    preserved = (await researcher.call("GET", url)).json()
    assert preserved["dmp"]["dataset"][1]["indigo"]["storage"]["storage_class"] == "DiskAndTape"


async def test_a_withdrawn_plan_leaves_a_tombstone_and_a_hidden_doi(
    researcher: Researcher, kept: Kept, http: httpx.AsyncClient
) -> None:
    (record,) = await plan_records(researcher, kept.plan)
    handle, doi = names_of(record)

    withdrawn = await researcher.call(
        "POST",
        f"{researcher.at.dmp}/plans/{kept.plan.plan_id}/withdraw",
        json={"reason": "superseded by the plan of the second phase"},
        headers={"if-match": kept.plan.etag},
    )

    assert withdrawn.json()["state"] == "withdrawn"

    async def resolve() -> int:
        return (await http.get(f"{researcher.at.pid}/{handle}")).status_code

    await eventually(resolve, lambda status: status == 410, "a tombstone under the handle")
    tombstone = await http.get(f"{researcher.at.pid}/{handle}", headers={"accept": "text/html"})
    assert tombstone.status_code == 410
    assert "superseded by the plan of the second phase" in tombstone.text
    assert (await http.get(f"{researcher.at.pid}/{doi}")).status_code == 410
    assert (await http.get(f"{researcher.at.repository}/api/records/{record['id']}")).status_code == 410

    async def registration() -> dict[str, Any]:
        return await researcher.get(f"{researcher.at.pid}/api/dois/{doi}")

    await eventually(
        registration, lambda status: status["observed_state"] == "registered", "a DOI that is not findable"
    )
    outputs = [await http.get(f"{researcher.at.repository}/api/records/{one}") for one in kept.records.values()]
    assert [answer.status_code for answer in outputs] == [200, 200]  # what was deposited is not the plan's


async def test_a_file_that_is_mended_on_the_disk_mends_the_promises(
    researcher: Researcher, kept: Kept, store: Path
) -> None:
    record_id = kept.records["measurements"]
    file = await asyncio.to_thread(stored_file, store, record_id, "penguins.csv")
    about_the_file = ("measurements/files", "measurements/record")

    async def look() -> dict[str, str]:
        ledger = by_name(await researcher.promises(kept.plan))
        return {name: ledger[name]["state"] for name in about_the_file}

    async def marked() -> str | None:
        answer = await researcher.get(f"{researcher.at.repository}/api/records/{record_id}/files/penguins.csv")
        return answer["damage"]

    await asyncio.to_thread(damage, file)
    await researcher.check_fixity(record_id)
    await eventually(look, lambda states: set(states.values()) == {"broken"}, "two broken promises")
    await eventually(marked, lambda told: told == "changed", "a marked file")

    await asyncio.to_thread(damage, file)  # the same bit again
    await researcher.check_fixity(record_id)
    await eventually(look, lambda states: set(states.values()) == {"kept"}, "two promises kept again")
    assert await marked() is None
    events = await researcher.get(f"{researcher.at.repository}/api/records/{record_id}/premis", limit="100")
    outcomes = [each["eventOutcome"] for each in events["items"] if each["eventTypeLabel"] == "fixity check"]
    assert "failure" in outcomes
    assert outcomes[-1] == "success"
