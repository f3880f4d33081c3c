"""``indigo demo``: a real table through its whole life, against the running suite, over HTTP alone.

Nothing here knows what the answers will be: identifiers, verdicts and states are read back from the services.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.live import Live
from rich.table import Table

from indigo_suite.cli import EXAMPLE, database_server
from indigo_suite.damage import damage, stored_file
from indigo_suite.layout import Addresses, DataDirectory
from indigo_suite.ledger_view import ledger, name_of
from indigo_suite.researcher import Endpoints, Plan, Refused, Researcher, names_of, plan_outputs

FOLDERS = {"measurements": "dataset", "summary-program": "software"}
PATIENCE = 60.0
"""Seconds to wait for the ledger before the demonstration says what is still missing."""

console = Console(width=None if sys.stdout.isatty() else 118)


class Story:
    """The demonstration's clock and what it has seen of the ledger."""

    def __init__(self, researcher: Researcher, began: float) -> None:
        self.researcher = researcher
        self.began = began
        self.seen: dict[str, float] = {}
        self._states: dict[str, str] = {}

    def elapsed(self) -> float:
        return time.perf_counter() - self.began

    def say(self, text: str) -> None:
        console.print(f"[dim]{self.elapsed():5.1f} s[/]  {text}", highlight=False)

    async def watch(
        self, plan: Plan, done: Callable[[list[dict[str, Any]]], bool], *, meanwhile: Awaitable[None] | None = None
    ) -> list[dict[str, Any]]:
        """Follow the ledger until ``done``, live on a terminal, else a line for every change.

        ``meanwhile`` is what the researcher does at the same time.
        """
        working = asyncio.ensure_future(meanwhile) if meanwhile is not None else None
        promises: list[dict[str, Any]] = []
        view = Live(console=console, refresh_per_second=8) if console.is_terminal else contextlib.nullcontext()
        deadline = time.perf_counter() + PATIENCE
        with view as live:
            while time.perf_counter() < deadline:
                promises = await self.researcher.promises(plan)
                self._note(promises, aloud=live is None)
                if live is not None:
                    live.update(ledger(promises, self.seen))
                if working is not None and working.done():
                    working.result()
                    working = None
                if working is None and done(promises):
                    break
                await asyncio.sleep(0.1)
        if working is not None:
            await working
        if not console.is_terminal:
            console.print(ledger(promises, self.seen))
        return promises

    def _note(self, promises: list[dict[str, Any]], *, aloud: bool) -> None:
        for promise in promises:
            key, state = promise["promise_id"], promise["state"]
            if self._states.get(key, "planned") != state:
                self.seen[key] = self.elapsed()
                if aloud:
                    summary = (promise.get("evidence") or {}).get("summary", "")
                    self.say(f"  {state}: {name_of(promise)}  [dim]{summary}[/]")
            self._states[key] = state


async def run(data: DataDirectory, addresses: Addresses, began: float) -> int:
    """Run the demonstration; 0 when every promise was kept and the damage was found."""
    data.create()
    async with database_server(data) as server_url:
        from indigo_kernel.logging import configure_logging

        from indigo_suite.suite import EVERY_SCOPE, running, token

        with data.log.open("a") as log:
            configure_logging(service="suite", level="info", stream=log)
            async with running(data, addresses, server_url) as suite:
                data.note_address(addresses.front)
                endpoints = Endpoints(
                    dmp=addresses.of("dmp"),
                    repository=addresses.of("repository"),
                    pid=addresses.of("pid"),
                    integrity=addresses.of("integrity"),
                    qos=addresses.of("qos-gateway"),
                )
                async with httpx.AsyncClient(timeout=30, trust_env=False) as http:
                    researcher = Researcher(http, endpoints, token(suite.issuer, "researcher", EVERY_SCOPE))
                    story = Story(researcher, began)
                    story.say(f"the five services are up at {addresses.front}")
                    try:
                        code = await _tell(story, data)
                    except Refused as error:
                        console.print(f"[red]{error}[/]")
                        code = 1
                story.say("stopping the suite; everything is kept")
    _where_to_look(data)
    return code


async def _tell(story: Story, data: DataDirectory) -> int:
    researcher = story.researcher
    async with _plan_document() as document:
        plan = await researcher.write_plan(document)
        story.say(f"plan written: {researcher.at.dmp}/plans/{plan.plan_id}")
        plan = await researcher.publish_plan(plan)
        outputs = plan_outputs(document)
    story.say(f"plan published; it promises {', '.join(outputs)}")
    drafts: dict[str, str] = {}

    async def deposit_all() -> None:
        drafts.update(await _reserved(researcher, plan, outputs))
        story.say("the repository has opened a draft for each of them")
        for output in outputs:
            record = await researcher.deposit(drafts[output], EXAMPLE / FOLDERS[output])
            story.say(f"{output} deposited and published: {researcher.at.repository}/records/{record['id']}")

    promises = await story.watch(
        plan, lambda found: all(each["state"] == "kept" for each in found), meanwhile=deposit_all()
    )
    open_promises = [name_of(each) for each in promises if each["state"] != "kept"]
    if open_promises:
        story.say(f"[red]after {PATIENCE:.0f} s these are not kept: {'; '.join(open_promises)}[/]")
        return 1
    story.say(f"[green]all {len(promises)} promises are kept[/]")
    console.print(await _identifiers(researcher, plan))
    console.print(await _placement(researcher, drafts))

    damaged = await asyncio.to_thread(stored_file, data.repository, drafts["measurements"], "penguins.csv")
    await asyncio.to_thread(damage, damaged)
    where = damaged.relative_to(data.repository)
    story.say("one bit was flipped on the disk, behind the repository's back, in")
    story.say(f"  {where}")
    await researcher.check_fixity(drafts["measurements"])
    story.say("a fixity run was asked for: every file is read back from storage")
    promises = await story.watch(plan, lambda found: bool(_naming("penguins.csv", found)))
    broken = _naming("penguins.csv", promises)
    if not broken:
        story.say("[red]the damage was not found[/]")
        return 1
    for each in broken:
        story.say(f"[yellow]broken: {name_of(each)}: {each['evidence']['summary']}[/]")
    return 0


def _naming(file: str, promises: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Broken promises whose evidence names ``file``."""
    return [each for each in promises if each["state"] == "broken" and file in json.dumps(each["evidence"])]


@contextlib.asynccontextmanager
async def _plan_document() -> AsyncIterator[Path]:
    """The example plan, as a new plan each time: its identifier ends with the present moment."""
    document = json.loads(await asyncio.to_thread((EXAMPLE / "plan.json").read_text))
    document["dmp"]["dmp_id"]["identifier"] += f"/{time.time_ns()}"
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(document, file)
        file.flush()
        yield Path(file.name)


async def _reserved(researcher: Researcher, plan: Plan, outputs: list[str]) -> dict[str, str]:
    """The record id of the draft the repository opened for each output."""
    deadline = time.perf_counter() + PATIENCE
    while time.perf_counter() < deadline:
        found = {
            record["plan"]["output"]: record["id"]
            for record in await researcher.records(plan)
            if record.get("plan", {}).get("output")
        }
        if set(outputs) <= set(found):
            return found
        await asyncio.sleep(0.1)
    raise Refused(f"after {PATIENCE:.0f} s the repository has no drafts for the plan's outputs")


async def _identifiers(researcher: Researcher, plan: Plan) -> Table:
    """PIDs and DOIs as the records have them, each with what the resolver and the registrar say of it."""
    table = Table(title="Identifiers", title_justify="left")
    for column in ("what", "handle", "DOI", "resolver", "registrar"):
        table.add_column(column, overflow="fold")
    for record in await researcher.records(plan):
        handle, doi = names_of(record)
        resolved = await researcher.call("HEAD", f"{researcher.at.pid}/{handle}")
        status = await researcher.get(f"{researcher.at.pid}/api/dois/{doi}")
        table.add_row(
            record["kind"],
            handle,
            doi,
            f"{resolved.status_code} → {httpx.URL(resolved.headers.get('location', '')).path}",
            str(status["observed_state"]),
        )
    return table


async def _placement(researcher: Researcher, drafts: dict[str, str]) -> Table:
    """Where the storage itself says the bytes are."""
    table = Table(title="Storage", title_justify="left")
    for column in ("output", "object", "class", "locality", "bytes"):
        table.add_column(column, overflow="fold")
    for output, record_id in drafts.items():
        found = await researcher.get(f"{researcher.at.qos}/api/transitions", record=record_id)
        for placed in found["items"][0]["objects"]:
            table.add_row(output, placed["path"], placed["storage_class"], placed["locality"], str(placed["size"]))
    return table


def _where_to_look(data: DataDirectory) -> None:
    at = os.path.relpath(data.root)
    console.print(f"\nEverything is in [bold]{at}[/]: the OCFL store in repository/, disk and tape in storage/.")
    console.print(f"Look at the pages:  [bold].venv/bin/indigo up --data-dir {at}[/]")
    console.print(f"See what was said:  [bold].venv/bin/indigo events --data-dir {at}[/] (while it is up)")
