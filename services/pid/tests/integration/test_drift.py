"""The registrar changes behind our back, and is made ill on request."""

from __future__ import annotations

from datetime import timedelta

import httpx
import pytest
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState

PUBLISHED = {"state": RecordState.PUBLISHED, "plan": None}


async def registered(pid, record, count):
    """Records whose DOIs the sandbox has."""
    await pid.deliver(*(RecordPublished(record=record(f"r{n}", **PUBLISHED)) for n in range(count)))
    await pid.work_off()
    return [(await pid.identifier_of(f"r{n}"))["doi"] for n in range(count)]


async def drift(pid):
    answer = await pid.http.get("/api/dois/drift", headers=pid.auth("operator"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_every_kind_of_difference_is_found_and_mended(pid, record):
    dois = await registered(pid, record, 5)
    report = await drift(pid)
    assert (report["remote"], report["compared"], report["items"], report["complete"]) == (5, 5, [], True)
    account = (pid.settings.datacite_repository, pid.settings.registrar_password)
    async with httpx.AsyncClient(base_url=pid.settings.registrar_url, auth=account) as http:

        async def put(doi, **attributes):
            answer = await http.put(f"/dois/{doi}", json={"data": {"attributes": attributes}})
            assert answer.is_success

        await put(dois[0], event="hide")
        await put(dois[1], url="https://elsewhere.example.org/")
        await put("10.5072/orphan")
    async with pid.runtime.database.engine.begin() as conn:
        await conn.execute(sa.text("DELETE FROM sandbox_dois WHERE doi = :doi"), {"doi": dois[2]})
    await pid.deliver(RecordPublished(record=record("r9", **PUBLISHED)))
    report = await drift(pid)
    assert {(one["doi"], one["difference"]) for one in report["items"]} == {
        (dois[0], "state"),
        (dois[1], "url"),
        (dois[2], "missing"),
        ("10.5072/orphan", "unknown"),
    }
    assert report["counts"] == {"state": 1, "url": 1, "missing": 1, "unknown": 1}
    for doi in dois[:3]:
        url = f"/api/dois/{doi}/retry"
        assert (await pid.http.post(url, headers=pid.auth("operator"))).status_code == 409
        again = await pid.http.post(f"{url}?even_if_done=true", headers=pid.auth("operator"))
        assert again.status_code == 202
    await pid.work_off()
    assert [one["difference"] for one in (await drift(pid))["items"]] == ["unknown"]


async def test_lists_of_several_pages_are_read_to_their_end(pid, record, monkeypatch):
    monkeypatch.setattr("indigo_pid.adapters.datacite._PAGE", 2)
    await registered(pid, record, 5)
    assert ((await drift(pid))["remote"], (await drift(pid))["items"]) == (5, [])
    monkeypatch.setattr("indigo_pid.application.drift.MAX_PAGES", 1)
    report = await drift(pid)
    assert (report["remote"], report["complete"], report["counts"]["missing"]) == (2, False, 0)


async def test_who_may_ask(pid):
    assert (await pid.http.get("/api/dois/drift")).status_code == 401
    assert (await pid.http.get("/api/dois/drift", headers=pid.auth("pid:mint"))).status_code == 403


async def test_a_registrar_that_is_away(start_pid, free_port):
    url = f"http://127.0.0.1:{free_port()}"
    async with start_pid(datacite_url=url, datacite_password="x") as pid:
        answer = await pid.http.get("/api/dois/drift", headers=pid.auth("operator"))
        assert answer.status_code == 502
        assert "cannot be reached" in answer.json()["detail"]
        assert (await pid.http.get("/api/sandbox/faults", headers=pid.auth("operator"))).status_code == 404


class TestFaults:
    async def spoil(self, pid, **faults):
        answer = await pid.http.put("/api/sandbox/faults", json=faults, headers=pid.auth("operator"))
        assert answer.status_code == 200, answer.text

    async def test_only_operators_set_them_and_rates_are_rates(self, pid):
        url = "/api/sandbox/faults"
        assert (await pid.http.put(url, json={})).status_code == 401
        assert (await pid.http.put(url, json={}, headers=pid.auth("pid:mint"))).status_code == 403
        for body in ({"lost_replies": 1.1}, {"silence": -0.1}, {"other": 1}):
            assert (await pid.http.put(url, json=body, headers=pid.auth("operator"))).status_code == 422
        seen = await pid.http.get(url, headers=pid.auth("operator"))
        assert set(seen.json().values()) == {0.0, 1, 60.0}

    async def test_errors_and_limits(self, pid):
        await self.spoil(pid, server_errors=1)
        answer = await pid.http.get("/registrar/heartbeat")
        assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
        await self.spoil(pid, too_many=1, retry_after=7)
        answer = await pid.http.get("/registrar/heartbeat")
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")
        await self.spoil(pid)
        assert (await pid.http.get("/registrar/heartbeat")).text == "OK"

    @pytest.mark.parametrize(("fault", "there"), [("lost_replies", 200), ("silence", 404)])
    async def test_no_answer_comes(self, pid, fault, there):
        auth = (pid.settings.datacite_repository, pid.settings.registrar_password)
        await self.spoil(pid, **{fault: 1})
        with pytest.raises(httpx.ReadTimeout):
            await pid.http.put("/registrar/dois/10.5072/x", json={"data": {}}, auth=auth, timeout=0.3)
        await self.spoil(pid)
        assert (await pid.http.get("/registrar/dois/10.5072/x", auth=auth)).status_code == there

    async def test_everything_is_registered_once_through_a_registrar_that_is_ill(self, start_pid, record):
        async with start_pid(datacite_seconds=0.3) as pid:
            await self.spoil(pid, server_errors=0.2, too_many=0.1, lost_replies=0.05)
            await pid.deliver(*(RecordPublished(record=record(f"r{n}", **PUBLISHED)) for n in range(20)))
            for _ in range(60):
                await pid.work_off()
                pid.clock.advance(timedelta(minutes=10))
                if len(await pid.facts("pid.doi.registered.v1")) == 20:
                    break
            await self.spoil(pid)
            report = await drift(pid)
            assert (report["remote"], report["compared"], report["items"]) == (20, 20, [])
            facts = [one["doi"] for one in await pid.facts("pid.doi.registered.v1")]
            assert len(facts) == len(set(facts)) == 20


class TestSandboxReads:
    async def test_cursors(self, pid):
        auth = (pid.settings.datacite_repository, pid.settings.registrar_password)
        for n in range(5):
            await pid.http.put(f"/registrar/dois/10.5072/n{n}", json={"data": {}}, auth=auth)
        url, seen = "/registrar/dois?page[cursor]=1&page[size]=2", []
        while url:
            page = (await pid.http.get(url, auth=auth)).json()
            seen += [one["id"] for one in page["data"]]
            url = page["links"].get("next")
        assert seen == [f"10.5072/n{n}" for n in range(5)]
        for cursor in ("é", "!", "AA"):
            answer = await pid.http.get("/registrar/dois", params={"page[cursor]": cursor}, auth=auth)
            assert answer.status_code == 400, cursor

    async def test_validating_stores_nothing(self, pid):
        auth = (pid.settings.datacite_repository, pid.settings.registrar_password)
        body = {"data": {"attributes": {"doi": "10.5072/a", "titles": [{"title": "x"}]}}}
        told = await pid.http.post("/registrar/dois/validate", json=body, auth=auth)
        assert told.status_code == 200
        assert {one["source"] for one in told.json()["errors"]} == {
            "url", "creators", "publisher", "publicationYear", "types",
        }  # fmt: skip
        assert (await pid.http.get("/registrar/dois/10.5072/a", auth=auth)).status_code == 404
        assert (await pid.http.post("/registrar/dois/validate", json=body)).status_code == 401

    async def test_random_names_and_urls(self, pid):
        auth = (pid.settings.datacite_repository, pid.settings.registrar_password)
        names = (await pid.http.get("/registrar/dois/random?prefix=10.5072&number=3")).json()["dois"]
        assert len(set(names)) == 3
        refused = await pid.http.get("/registrar/dois/random")
        assert (refused.status_code, refused.json()["errors"][0]["title"]) == (422, "Parameter prefix is required")
        body = {"data": {"attributes": {"url": "https://x.example.org/"}}}
        await pid.http.put("/registrar/dois/10.5072/u", json=body, auth=auth)
        assert (await pid.http.get("/registrar/dois/10.5072/u/get-url", auth=auth)).json() == {
            "url": "https://x.example.org/"
        }
        assert (await pid.http.get("/registrar/dois/10.5072/v/get-url", auth=auth)).status_code == 404
