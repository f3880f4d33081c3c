"""The resolver without its database, and how it follows it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState, RecordWithdrawn
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.db import migrate
from indigo_kernel.db.engine import create_engine
from indigo_pid.application.name_index import Mode
from indigo_pid.bootstrap import MIGRATIONS
from indigo_testing.directories import server_directory

TARGET = "https://data.example.org/42"


@pytest.fixture
def server():
    """A PostgreSQL of this test, which may be stopped."""
    with server_directory("postgres", EmbeddedPostgres) as directory, EmbeddedPostgres(directory) as running:
        yield running


@pytest_asyncio.fixture
async def database(server) -> AsyncIterator[str]:
    await server.ensure_databases(["pid"])
    url = server.database_url("pid")
    engine = create_engine(url, application="test")
    await migrate.upgrade(engine, MIGRATIONS)
    await engine.dispose()
    yield url


async def until(pid, mode: Mode) -> None:
    """A request starts the keeper; then wait for it."""
    await pid.http.get("/livez")
    async with asyncio.timeout(20):
        while pid.index.mode is not mode:
            await asyncio.sleep(0.01)


async def test_names_resolve_while_the_database_is_away_and_after_a_restart(
    start_pid, server, database, tmp_path, record
):
    keep = {"database_url": database, "resolver_directory": tmp_path / "names"}
    async with start_pid(**keep) as pid:
        await until(pid, Mode.CURRENT)
        made = await pid.mint(target=TARGET)
        reserved = await pid.mint()
        await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
        gone = await pid.identifier_of("r1")
        await pid.deliver(
            RecordWithdrawn(record=record(state=RecordState.WITHDRAWN, version=2), reason="wrong sensor")
        )
        async with asyncio.timeout(10):
            while gone["handle"].partition("/")[2] not in (tmp_path / "names/names").read_text():
                await asyncio.sleep(0.01)
        await asyncio.to_thread(server.stop)
        await until(pid, Mode.CUT_OFF)
        await self_sufficient(pid, made, reserved, gone)
        await asyncio.to_thread(server.start)
        await until(pid, Mode.CURRENT)
        assert (await pid.http.get(f"/{gone['doi']}")).json()["reason"] == "wrong sensor"
        later = await pid.mint(target=TARGET)
        async with asyncio.timeout(10):
            while later["handle"].partition("/")[2] not in (tmp_path / "names/names").read_text():
                await asyncio.sleep(0.01)
        await asyncio.to_thread(server.stop)
    async with start_pid(starts=False, **keep) as pid:
        await until(pid, Mode.CUT_OFF)
        await self_sufficient(pid, made, reserved, gone)
        assert (await pid.http.get(f"/{later['handle']}")).status_code == 302


async def self_sufficient(pid, made, reserved, gone) -> None:
    for name in (made["handle"], made["ark"], made["handle"].upper()):
        for headers in ({}, {"accept": "text/html"}, {"accept": "application/x-bibtex"}):
            answer = await pid.http.get(f"/{name}", headers=headers)
            assert (answer.status_code, answer.headers["location"]) == (302, TARGET)
    answer = await pid.http.get(f"/{gone['doi']}")
    assert (answer.status_code, answer.headers["cache-control"]) == (410, "no-cache")
    assert answer.headers["content-type"] == "application/problem+json"
    mistyped = made["handle"][:-1] + ("0" if made["handle"][-1] != "0" else "1")
    for name in (reserved["handle"], mistyped):
        answer = await pid.http.get(f"/{name}")
        assert (answer.status_code, answer.headers["cache-control"]) == (404, "no-cache")
    # They may have been given by another process that still has a database.
    for name in ("21.T99999/never", "ark:/99999/none", f"{made['handle']}@x", "10.1002/other"):
        answer = await pid.http.get(f"/{name}")
        assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-cache")
        assert answer.headers["retry-after"]
    head = await pid.http.head(f"/{gone['doi']}")
    assert (head.status_code, head.content) == (410, b"")


def template(delimiter: str, inside: str = "", reference: str = "") -> dict[str, object]:
    """The value that is a template, one that appends the extension if nothing else is said."""
    usual = '<foreach><if value="type" test="equals" expression="URL"><value data="${data}/${extension}"/></if>'
    usual += "<else><value/></else></foreach>"
    xml = f'<namespace><template delimiter="{delimiter}"{reference}>{inside or usual}</template></namespace>'
    return {"index": 9, "type": "hs_namespace", "data": xml}


async def test_handles_by_templates_resolve_without_a_database_as_they_do_with_one(
    start_pid, server, database, tmp_path
):
    keep = {"database_url": database, "resolver_directory": tmp_path / "names"}
    url = {"index": 1, "type": "URL", "data": TARGET}
    mail = {"index": 2, "type": "EMAIL", "data": "ana"}
    by_mail = '<foreach><if value="type" test="equals" expression="EMAIL"><value type="URL" '
    by_mail += 'data="https://mail.example.org/${data}/${extension}"/></if></foreach>'
    written = {
        "21.T99999/mine": [url, template("/")],
        "21.T99999/mail": [url, mail, template("/", by_mail)],
        "21.T99999/all": [template("!")],
        "21.T99999/refers": [url, template(":", reference=' ref="21.T99999/ALL"')],
        "21.T99999/changed": [url, template("/", by_mail)],
        "21.T99999/plain": [url],
        "0.NA/21.T99999": [template("@")],
    }
    async with start_pid(**keep) as pid:
        await until(pid, Mode.CURRENT)

        async def write(handle: str, values: list[dict[str, object]]) -> None:
            headers = pid.auth("pid:mint", "operator")
            answer = await pid.http.put(f"/api/handles/{handle}", json=values, headers=headers)
            assert answer.status_code < 300, answer.text

        for handle, values in written.items():
            await write(handle, values)
        await write("21.T99999/changed", [url])
        await write("21.T99999/gone", [url, template("/")])
        answer = await pid.http.delete("/api/handles/21.T99999/gone", headers=pid.auth("pid:mint", "operator"))
        assert answer.status_code == 200
        minted = (await pid.mint(target=f"{TARGET}?a=b"))["handle"]
        places = {
            "21.T99999/mine/a/b.tif": f"{TARGET}/a/b.tif",
            "21.t99999/MINE/a": f"{TARGET}/a",
            "21.T99999/mail/a": "https://mail.example.org/ana/a",
            "21.T99999/refers:a": f"{TARGET}/a",
            "21.T99999/plain@7": f"{TARGET}/7",
            "21.T99999/changed@7": f"{TARGET}/7",
            f"{minted}@7": f"{TARGET}?a=b/7",
        }
        nowhere = ["21.T99999/changed/a", "21.T99999/gone/a", "21.T99999/gone@a", "21.T99999/plain/a"]
        assert await resolved(pid, [*places, *nowhere]) == [*places.values(), *[404] * len(nowhere)]
        await asyncio.to_thread(server.stop)
        await until(pid, Mode.CUT_OFF)
        assert await resolved(pid, [*places, *nowhere]) == [*places.values(), *[503] * len(nowhere)]
        await asyncio.to_thread(server.start)
    async with start_pid(**keep) as pid:  # as it reads the database
        await until(pid, Mode.CURRENT)
        async with asyncio.timeout(10):
            while "21.t99999/mine" not in (tmp_path / "names/names").read_text():
                await asyncio.sleep(0.01)
        await asyncio.to_thread(server.stop)
        await until(pid, Mode.CUT_OFF)
        assert await resolved(pid, [*places, *nowhere]) == [*places.values(), *[503] * len(nowhere)]
    async with start_pid(starts=False, **keep) as pid:  # as it reads its file
        await until(pid, Mode.CUT_OFF)
        assert await resolved(pid, [*places, *nowhere]) == [*places.values(), *[503] * len(nowhere)]


async def test_a_template_of_a_prefix_that_needs_more_than_a_url_waits_for_the_database(
    start_pid, server, database
):
    handle = '<foreach><if value="type" test="equals" expression="DOI"><value type="URL" '
    handle += 'data="https://doi.example.org/${data}"/></if></foreach>'
    async with start_pid(database_url=database) as pid:
        await until(pid, Mode.CURRENT)
        headers = pid.auth("pid:mint", "operator")
        answer = await pid.http.put("/api/handles/0.NA/21.T99999", json=[template("@", handle)], headers=headers)
        assert answer.status_code == 201
        minted = (await pid.mint(target=TARGET))["handle"]
        assert await resolved(pid, [f"{minted}@x"]) == [404]
        await asyncio.to_thread(server.stop)
        await until(pid, Mode.CUT_OFF)
        assert await resolved(pid, [f"{minted}@x", minted]) == [503, TARGET]


async def resolved(pid, names: list[str]) -> list[str | int]:
    """Where each of the names leads, or the status that is answered instead."""
    answers = [await pid.http.get(f"/{name}") for name in names]
    for answer in answers:
        assert (answer.status_code == 503) == ("retry-after" in answer.headers)
    return [answer.headers.get("location", answer.status_code) for answer in answers]


async def test_changes_of_another_process_arrive(start_pid, record):
    async with start_pid() as pid:
        await until(pid, Mode.CURRENT)
        made = await pid.mint(target=TARGET)
        async with pid.runtime.database.engine.begin() as conn:  # as another replica writes
            await conn.execute(
                sa.text(
                    "UPDATE identifiers SET target = :target, changed_in = txid_current() WHERE handle = :handle"
                ),
                {"target": TARGET + "/moved\\", "handle": made["handle"]},
            )
            await conn.execute(sa.text("NOTIFY outbox"))
        async with asyncio.timeout(10):
            while True:
                answer = await pid.http.get(f"/{made['handle']}")
                assert answer.status_code == 302
                if answer.headers["location"] == TARGET + "/moved\\":
                    break
                await asyncio.sleep(0.01)


async def test_a_commit_that_began_long_ago_is_not_missed(start_pid):
    """Transactions end in another order than they begin: the reader goes back to the oldest one still open."""
    async with start_pid() as pid:
        first = await pid.mint(target=TARGET)
        await until(pid, Mode.CURRENT)
        change = sa.text(
            "UPDATE identifiers SET target = :target, changed_in = txid_current() WHERE handle = :handle"
        )
        async with pid.runtime.database.engine.begin() as slow:
            await slow.execute(change, {"target": TARGET + "/slow", "handle": first["handle"]})
            for _ in range(3):
                await pid.mint(target=TARGET)
                heard = pid.index.lag()
                async with asyncio.timeout(10):
                    while pid.index.lag() > heard:
                        await asyncio.sleep(0.01)
        async with asyncio.timeout(10):
            while (await pid.http.get(f"/{first['handle']}")).headers["location"] != TARGET + "/slow":
                await asyncio.sleep(0.01)


async def test_a_tombstone_is_known_at_once_where_it_was_made(start_pid):
    async with start_pid() as pid:
        await until(pid, Mode.CURRENT)
        for _ in range(20):
            made = await pid.mint(target=TARGET)
            assert (await pid.http.get(f"/{made['handle']}")).status_code == 302
            url = f"/api/identifiers/{made['handle']}"
            headers = {**pid.auth("pid:mint"), "if-match": "*"}
            assert (await pid.http.delete(url, params={"reason": "lost"}, headers=headers)).status_code == 200
            assert (await pid.http.get(f"/{made['handle']}")).status_code == 410


async def test_a_bounded_index_leaves_the_rest_to_the_database(start_pid):
    async with start_pid(resolver_names=1) as pid:
        await until(pid, Mode.CURRENT)
        for _ in range(3):
            made = await pid.mint(target=TARGET)
            assert (await pid.http.get(f"/{made['handle']}")).status_code == 302
        assert len(pid.index) == 1
