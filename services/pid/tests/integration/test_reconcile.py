"""The reconciler against a registrar that is ill: a real server whose answers are spoiled on their way out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState, RecordUpdated, RecordWithdrawn
from indigo_testing.ill_registrar import Ill, ill_registrar
from starlette.responses import JSONResponse, PlainTextResponse


@pytest.fixture
async def registrar(databases) -> AsyncIterator[Ill]:
    async with ill_registrar(await databases.empty("registrar")) as ill:
        yield ill


@pytest.fixture
async def pid(start_pid, registrar) -> AsyncIterator[Any]:
    async with start_pid(**registrar.settings) as running:
        yield running


@pytest.fixture
async def published(pid, record) -> str:
    await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
    doi: str = (await pid.identifier_of("r1"))["doi"]
    return doi


async def remote(registrar: Ill, doi: str) -> dict[str, Any]:
    async with httpx.AsyncClient(base_url=registrar.url, auth=("INDIGO.REPO", "secret")) as http:
        attributes: dict[str, Any] = (await http.get(f"/dois/{doi}")).json()["data"]["attributes"]
    return attributes


async def recover(pid) -> dict[str, Any]:
    """An hour passes, twice: every pause is over."""
    for _ in range(2):
        pid.clock.advance(timedelta(hours=1, minutes=1))
        await pid.work_off()
    found: dict[str, Any] = await pid.doi("r1")
    return found


async def test_a_server_error_is_tried_again_and_seen(pid, registrar, published):
    registrar.script.extend([PlainTextResponse("<h1>502</h1>", 502), JSONResponse({}, 500)])
    assert await pid.work_off() == 1
    doi = await pid.doi("r1")
    assert (doi["status"], doi["attempts"]) == ("pending", 1)
    assert "502" in doi["reason"]
    assert doi["next_try_at"] > "2026-01-01T00:00:00"
    assert await pid.facts("pid.doi.failed.v1") == []
    doi = await recover(pid)
    assert (doi["status"], doi["reason"], doi["attempts"], doi["next_try_at"]) == ("done", None, 0, None)
    assert registrar.puts == 3
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_retry_after_is_kept_for_every_doi(pid, registrar, published, record):
    registrar.script.append(JSONResponse({"errors": []}, 429, headers={"retry-after": "120"}))
    await pid.work_off()
    await pid.deliver(RecordPublished(record=record("r2", state=RecordState.PUBLISHED)))
    pid.clock.advance(timedelta(seconds=100))
    await pid.work_off()
    assert registrar.puts == 1
    assert "left alone" in (await pid.doi("r2"))["reason"]
    assert (await recover(pid))["status"] == "done"
    assert (await pid.doi("r2"))["status"] == "done"


async def test_a_date_in_retry_after(pid, registrar, published):
    registrar.script.append(
        PlainTextResponse("busy", 503, headers={"retry-after": "Thu, 01 Jan 2026 00:10:00 GMT"})
    )
    await pid.work_off()
    assert (await pid.doi("r1"))["next_try_at"] >= "2026-01-01T00:10:00"


async def test_a_lost_reply_is_harmless(pid, registrar, published):
    registrar.script.extend(["lost", "lost"])
    await pid.work_off()
    doi = await pid.doi("r1")
    assert doi["status"] == "pending"
    assert "No answer in time" in doi["reason"]
    assert (await remote(registrar, published))["state"] == "findable"
    pid.clock.advance(timedelta(hours=1))
    await pid.work_off()
    assert (await recover(pid))["status"] == "done"
    async with httpx.AsyncClient(base_url=registrar.url, auth=("INDIGO.REPO", "secret")) as http:
        assert (await http.get("/dois")).json()["meta"]["total"] == 1
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_a_lost_publication_is_still_hidden(pid, registrar, published, record):
    """The registrar published it and nobody heard; then the record is withdrawn: register would be ignored."""
    registrar.script.append("lost")
    await pid.work_off()
    await pid.deliver(
        RecordWithdrawn(record=record(state=RecordState.WITHDRAWN, version=2), reason="wrong sensor")
    )
    doi = await recover(pid)
    assert (doi["status"], doi["observed_state"]) == ("done", "registered")
    assert (await remote(registrar, published))["state"] == "registered"
    assert len(await pid.facts("pid.doi.hidden.v1")) == 1


async def test_a_refusal_is_final_until_an_operator_asks_again(pid, registrar, published):
    error = {"source": "titles", "title": "Title is not nice", "uid": published}
    registrar.script.append(JSONResponse({"errors": [error]}, 422))
    await pid.work_off()
    doi = await pid.doi("r1")
    assert (doi["status"], doi["next_try_at"]) == ("failed", None)
    assert doi["reason"] == "422 titles: Title is not nice"
    (fact,) = await pid.facts("pid.doi.failed.v1")
    assert fact["reason"] == doi["reason"]
    assert fact["subject"] == f"dois/{published}"
    await recover(pid)
    assert registrar.puts == 1
    url = f"/api/dois/{published}/retry"
    assert (await pid.http.post(url)).status_code == 401
    assert (await pid.http.post(url, headers=pid.auth("pid:mint"))).status_code == 403
    again = await pid.http.post(url, headers=pid.auth("operator"))
    assert (again.status_code, again.json()["status"]) == (202, "pending")
    await pid.work_off()
    assert (await pid.doi("r1"))["status"] == "done"
    assert (await pid.http.post(url, headers=pid.auth("operator"))).status_code == 409
    assert (await pid.http.post("/api/dois/10.5072/no/retry", headers=pid.auth("operator"))).status_code == 404


async def test_wrong_credentials_fail_no_doi(start_pid, registrar, record):
    async with start_pid(datacite_url=registrar.url, datacite_password="wrong") as pid:
        await pid.deliver(RecordPublished(record=record(state=RecordState.PUBLISHED)))
        await pid.work_off()
        doi = await pid.doi("r1")
        assert doi["status"] == "pending"
        assert "401 Bad credentials." in doi["reason"]


async def test_an_answer_that_makes_no_sense_is_no_success(pid, registrar, published):
    registrar.script.extend(
        ["html", JSONResponse({"data": {"attributes": {"doi": "10.5072/x", "state": "findable"}}})]
    )
    await pid.work_off()
    assert "cannot be read" in (await pid.doi("r1"))["reason"]
    pid.clock.advance(timedelta(minutes=5))
    await pid.work_off()
    assert "another DOI" in (await pid.doi("r1"))["reason"]
    assert (await recover(pid))["status"] == "done"


@pytest.mark.parametrize(
    ("state", "registered", "reason"),
    [("draft", None, "in the state draft"), ("findable", None, "has not written the DOI")],
)
async def test_success_is_what_the_reply_shows(pid, registrar, published, state, registered, reason):
    reply = {"data": {"attributes": {"doi": published, "state": state, "registered": registered}}}
    registrar.script.extend([JSONResponse(reply), JSONResponse(reply)])
    await pid.work_off()
    doi = await pid.doi("r1")
    assert (doi["status"], doi["observed_state"]) == ("pending", state)
    assert reason in doi["reason"]
    async with pid.runtime.database.engine.connect() as conn:  # what was seen and when to ask again are one change
        assert (await conn.execute(sa.text("SELECT version FROM dois"))).scalar_one() == 2
    assert await pid.facts("pid.doi.registered.v1") == []
    registrar.script.clear()
    assert (await recover(pid))["status"] == "done"


async def test_ten_changes_while_it_is_down_are_one_request(pid, registrar, published, record):
    registrar.script.append(PlainTextResponse("", 503))
    await pid.work_off()
    for version in range(2, 12):
        changed = record(state=RecordState.PUBLISHED, version=version, title=f"Title {version}")
        await pid.deliver(RecordUpdated(record=changed))
    assert await pid.work_off() == 1
    assert registrar.puts == 2
    assert (await remote(registrar, published))["titles"] == [{"title": "Title 11"}]


async def test_an_attempt_in_the_way_of_news_loses_nothing(pid, registrar, published, record):
    """The record changes while the registrar is being asked: the older answer does not count for the newer."""
    arrived, go_on = asyncio.Event(), asyncio.Event()
    inner = registrar.app

    async def slow(scope, receive, send) -> None:
        registrar.app = inner
        arrived.set()
        await go_on.wait()
        await inner(scope, receive, send)

    registrar.app = slow
    working = asyncio.create_task(pid.work_off())
    await arrived.wait()
    await pid.deliver(RecordUpdated(record=record(state=RecordState.PUBLISHED, version=2, title="Newer")))
    go_on.set()
    await working
    await pid.work_off()
    assert (await remote(registrar, published))["titles"] == [{"title": "Newer"}]
    assert (await pid.doi("r1"))["status"] == "done"
    assert len(await pid.facts("pid.doi.registered.v1")) == 1


async def test_who_sees_a_registration(pid, registrar, published):
    await pid.work_off()
    answer = await pid.http.get(f"/api/dois/{published.upper()}")
    assert (answer.status_code, answer.json()["status"]) == (200, "done")
    assert (await pid.http.get("/api/dois/10.5072/no")).status_code == 404
    assert (await pid.http.get("/api/dois/21.T99999/no")).status_code == 404
