"""The life cycle as a story, told once and inherited by every deployment's tests."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from indigo_suite.damage import damage, stored_file
from indigo_suite.layout import ROUTES
from indigo_suite.researcher import Plan, Researcher, names_of

T = TypeVar("T")

PATIENCE = 90.0
"""Seconds a story waits for something to happen: far more than it takes, for busy machines."""

FOLDERS = {"measurements": "dataset", "summary-program": "software"}


async def eventually(look: Callable[[], Awaitable[T]], done: Callable[[T], bool], what: str) -> T:
    """Look until ``done``; the failure tells what was seen last."""
    deadline = time.monotonic() + PATIENCE
    while True:
        seen = await look()
        if done(seen):
            return seen
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come about; last seen: {json.dumps(seen, default=str)[:4000]}")
        await asyncio.sleep(0.1)


def new_plan(example: Path, folder: Path) -> Path:
    """The example plan as a document of its own, so that one suite can have many."""
    document = json.loads((example / "plan.json").read_text())
    document["dmp"]["dmp_id"]["identifier"] += f"/{time.time_ns()}"
    path = folder / "plan.json"
    path.write_text(json.dumps(document))
    return path


async def draft_plan(researcher: Researcher, document: dict[str, Any], folder: Path) -> Plan:
    """Write a changed example plan, as a plan of its own."""
    document["dmp"]["dmp_id"]["identifier"] += f"/{time.time_ns()}"
    path = folder / "plan.json"
    await asyncio.to_thread(path.write_text, json.dumps(document))
    return await researcher.write_plan(path)


async def reserved(researcher: Researcher, plan: Plan) -> dict[str, str]:
    """Record id of the draft of each output, once the repository has opened them."""

    async def look() -> dict[str, str]:
        records = await researcher.records(plan)
        return {each["plan"]["output"]: each["id"] for each in records if each["plan"].get("output")}

    return await eventually(look, lambda found: set(FOLDERS) <= set(found), "drafts for the outputs")


async def settled(researcher: Researcher, plan: Plan, state: str = "kept") -> dict[str, dict[str, Any]]:
    """The ledger by ``<output>/<kind or test>`` when every promise is in ``state``."""

    async def look() -> list[dict[str, Any]]:
        return await researcher.promises(plan)

    found = await eventually(
        look, lambda promises: all(each["state"] == state for each in promises), f"a ledger that is all {state}"
    )
    return by_name(found)


async def decided(researcher: Researcher, plan: Plan) -> dict[str, dict[str, Any]]:
    """The ledger by ``<output>/<kind or test>`` when every promise is kept or broken."""

    async def look() -> list[dict[str, Any]]:
        return await researcher.promises(plan)

    found = await eventually(
        look,
        lambda promises: bool(promises) and all(each["state"] in {"kept", "broken"} for each in promises),
        "a ledger with nothing open",
    )
    return by_name(found)


def by_name(promises: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {f"{each.get('output') or 'plan'}/{each.get('test') or each['kind']}": each for each in promises}


async def all_events(researcher: Researcher, *services: str) -> list[dict[str, Any]]:
    """Everything the feeds of ``services`` (all of them when none is named) hold."""
    at = dict(zip(ROUTES, (getattr(researcher.at, name) for name in _ENDPOINTS), strict=True))
    found: list[dict[str, Any]] = []
    for service in services or ROUTES:
        after = 0
        while True:
            page = await researcher.get(f"{at[service]}/events", after=str(after), limit="500")
            found += page["items"]
            after = page["next"]
            if len(page["items"]) < 500:
                break
    return found


_ENDPOINTS = ("dmp", "repository", "pid", "integrity", "qos")


class LifeCycleStory:
    """Inherit it and give the fixtures ``researcher``, ``example`` (folder) and ``store`` (the OCFL root)."""

    async def test_from_the_plan_to_the_damage(
        self, researcher: Researcher, example: Path, store: Path, tmp_path: Path
    ) -> None:
        plan = await researcher.write_plan(await asyncio.to_thread(new_plan, example, tmp_path))
        plan = await researcher.publish_plan(plan)
        drafts = await reserved(researcher, plan)
        for output, folder in FOLDERS.items():
            await researcher.deposit(drafts[output], example / folder)
        kept = await settled(researcher, plan)
        assert {
            "plan/record",
            "plan/identifier",
            "measurements/storage",
            "measurements/files",
            "measurements/description",
            "measurements/table",
            "measurements/summary",
            "summary-program/storage",
        } <= set(kept)
        await self.identifiers_work(researcher, plan)
        await self.storage_has_the_bytes(researcher, drafts)
        await self.nothing_is_doubled(researcher, plan)
        await self.damage_is_found(researcher, plan, drafts["measurements"], store)

    async def identifiers_work(self, researcher: Researcher, plan: Plan) -> None:
        records = await researcher.records(plan)
        assert sorted(each["kind"] for each in records) == ["dataset", "dmp", "software"]
        for record in records:
            handle, doi = names_of(record)
            for name in (handle, doi):
                answer = await researcher.call("HEAD", f"{researcher.at.pid}/{name}")
                assert answer.status_code == 302, name
                page = await researcher.call("GET", answer.headers["location"], headers={"accept": "text/html"})
                assert doi in page.text
            status = await researcher.get(f"{researcher.at.pid}/api/dois/{doi}")
            assert status["observed_state"] == "findable"

    async def storage_has_the_bytes(self, researcher: Researcher, drafts: dict[str, str]) -> None:
        for output, locality in (("measurements", "DISK_AND_TAPE"), ("summary-program", "DISK")):
            record = await researcher.get(f"{researcher.at.repository}/api/records/{drafts[output]}/files")
            found = await researcher.get(f"{researcher.at.qos}/api/transitions", record=drafts[output])
            (transition,) = found["items"]
            assert transition["state"] == "COMPLETED"
            placed = {Path(each["path"]).name: each for each in transition["objects"]}
            assert {Path(each["key"]).name for each in record["entries"]} == set(placed)
            assert {each["locality"] for each in placed.values()} == {locality}

    async def nothing_is_doubled(self, researcher: Researcher, plan: Plan) -> None:
        events = await all_events(researcher)
        assert len({each["id"] for each in events}) == len(events)
        records = {each["id"] for each in await researcher.records(plan)}
        about: Counter[str] = Counter()
        for event in events:
            data = event["data"]
            record = (data.get("identifier") or data.get("transition") or data.get("run") or data).get("record_id")
            if record in records:
                fact = event["type"].split(".", 2)[2]
                # A registration is stated again for each change of what is registered, with its own version.
                part = event["sequence"] if "doi.registered" in fact else (data.get("run") or {}).get("test", "")
                about[f"{fact} {record} {part}"] += 1
        # A DOI is registered anew when something related to it becomes public: at most once for each record.
        most = {
            "identifier.minted": 1,
            "doi.registered": len(records),
            "transition.completed": 1,
            "run.finished": 1,
        }
        doubled = {
            key: n for key, n in about.items() if any(fact in key and n > times for fact, times in most.items())
        }
        assert doubled == {}

    async def damage_is_found(self, researcher: Researcher, plan: Plan, record_id: str, store: Path) -> None:
        file = await asyncio.to_thread(stored_file, store, record_id, "penguins.csv")
        await asyncio.to_thread(damage, file)
        await researcher.check_fixity(record_id)

        async def look() -> dict[str, dict[str, Any]]:
            return by_name(await researcher.promises(plan))

        ledger = await eventually(
            look, lambda found: found["measurements/files"]["state"] == "broken", "a broken promise"
        )
        assert "penguins.csv" in json.dumps(ledger["measurements/files"]["evidence"])
        assert ledger["summary-program/files"]["state"] == "kept"
