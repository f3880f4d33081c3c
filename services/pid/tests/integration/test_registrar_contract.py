"""What every registrar behind the port does, through the service as it runs, against a server on a port of its own."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest_asyncio
import sqlalchemy as sa
from indigo_contracts.repository import RecordPublished, RecordState, RecordUpdated, RecordWithdrawn
from indigo_kernel.clock import ManualClock
from indigo_kernel.db.engine import create_engine
from indigo_kernel.http.server import listen, serving
from indigo_pid.adapters.crossref.registrar import GATHER, NOT_HIDDEN
from indigo_pid.bootstrap import CROSSREF_LAG
from indigo_pid.sandbox.app import Account, SandboxRegistrar, create_sandbox
from indigo_pid.sandbox.crossref.app import CrossrefAccount, SandboxCrossref, create_crossref_sandbox
from indigo_pid.sandbox.crossref.processing import Work
from indigo_pid.sandbox.crossref.store import CrossrefStore
from indigo_pid.sandbox.faults import Faults, FaultyRegistrar
from indigo_pid.sandbox.store import SandboxStore
from starlette.responses import JSONResponse, PlainTextResponse

PREFIX = "10.5072"
PASSWORD = "a password nobody may see"
PUBLISHED = {"state": RecordState.PUBLISHED, "plan": None}


class Door:
    """A server whose inside can be exchanged, with faults in front of it."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine
        self.clock = ManualClock()
        self.app: Any = None
        self.faulty = FaultyRegistrar(self._enter)
        self.url = ""

    async def _enter(self, scope, receive, send) -> None:
        await self.app(scope, receive, send)


class RegistrarContract:
    """Behavior that is the same whoever registers. Subclasses say how the registrar is set up and looked into."""

    name: str

    @abstractmethod
    def inside(self, door: Door, *, password: str = PASSWORD, prefix: str = PREFIX) -> Any:
        """The registrar's server."""

    @abstractmethod
    def settings(self, door: Door, secret: Any) -> dict[str, Any]:
        """The service's settings for it."""

    @abstractmethod
    async def remote(self, door: Door, doi: str) -> dict[str, Any] | None:
        """What the registrar has: ``url``, ``title``, ``state``."""

    @abstractmethod
    async def remote_count(self, door: Door) -> int:
        """How many DOIs it has."""

    @abstractmethod
    async def refuse(self, door: Door, doi: str) -> str:
        """Let the registrar refuse the DOI for good from now on; part of what it says."""

    @pytest_asyncio.fixture
    async def door(self, databases) -> AsyncIterator[Door]:
        engine = create_engine(await databases.empty("registrar"), application="registrar")
        door = Door(engine)
        door.app = self.inside(door)
        bound = listen("127.0.0.1", 0)
        door.url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        async with serving(door.faulty, bound):
            yield door
        await engine.dispose()

    @pytest_asyncio.fixture
    async def pid(self, start_pid, door, tmp_path) -> AsyncIterator[Any]:
        secret = tmp_path / "password"
        secret.write_text(f"{PASSWORD}\n")
        async with start_pid(**self.settings(door, secret)) as running:
            yield running

    @pytest_asyncio.fixture
    async def doi(self, pid, record) -> str:
        await pid.deliver(RecordPublished(record=record(**PUBLISHED)))
        name: str = (await pid.identifier_of("r1"))["doi"]
        return name

    async def test_a_doi_is_registered(self, pid, door, doi):
        await pid.settle()
        seen = await pid.doi("r1")
        assert (seen["status"], seen["registrar"], seen["observed_state"]) == ("done", self.name, "findable")
        assert (seen["reason"], seen["next_try_at"], seen["attempts"], seen["note"]) == (None, None, 0, None)
        remote = await self.remote(door, doi)
        assert (remote["url"], remote["title"]) == (
            "https://repository.example.org/records/r1",
            "Water quality of the reservoir",
        )
        (fact,) = await pid.facts("pid.doi.registered.v1")
        assert (fact["doi"], fact["registrar"]) == (doi, door.url)

    async def test_it_is_changed(self, pid, door, doi, record):
        await pid.settle()
        await pid.deliver(RecordUpdated(record=record(**PUBLISHED, version=2, title="Newer")))
        assert (await pid.doi("r1"))["status"] == "pending"
        await pid.settle()
        assert (await self.remote(door, doi))["title"] == "Newer"
        assert (await pid.doi("r1"))["status"] == "done"
        assert len(await pid.facts("pid.doi.registered.v1")) == 2
        assert await self.remote_count(door) == 1

    async def test_it_is_hidden_as_far_as_that_goes(self, pid, door, doi, record):
        await pid.settle()
        gone = record(**{**PUBLISHED, "state": RecordState.WITHDRAWN}, version=2)
        await pid.deliver(RecordWithdrawn(record=gone, reason="wrong sensor"))
        await pid.settle()
        seen = await pid.doi("r1")
        assert (seen["status"], seen["observed_state"]) == ("done", "registered")
        assert (await self.remote(door, doi))["url"] == (await pid.identifier_of("r1"))["resolver_url"]
        assert len(await pid.facts("pid.doi.hidden.v1")) == 1
        pid.clock.advance(CROSSREF_LAG)
        report = await pid.http.get("/api/dois/drift", headers=pid.auth("operator"))
        assert (report.json()["compared"], report.json()["items"]) == (1, [])

    async def test_a_prefix_of_somebody_else_is_refused(self, pid, door, doi):
        door.app = self.inside(door, prefix="10.9999")
        await pid.settle()
        seen = await pid.doi("r1")
        assert (seen["status"], seen["next_try_at"]) == ("failed", None)
        assert "uthorized" in seen["reason"] or "not allowed" in seen["reason"]
        assert len(await pid.facts("pid.doi.failed.v1")) == 1
        door.app = self.inside(door)
        again = await pid.http.post(f"/api/dois/{doi}/retry", headers=pid.auth("operator"))
        assert again.status_code == 202
        await pid.settle()
        assert (await pid.doi("r1"))["status"] == "done"

    async def test_wrong_credentials_wait_for_an_operator_and_are_not_shown(self, pid, door, doi):
        door.app = self.inside(door, password="another")
        await self.try_once(pid)
        seen = await pid.doi("r1")
        assert (seen["status"], seen["attempts"]) == ("pending", 1)
        assert "401" in seen["reason"]
        assert PASSWORD not in str(seen)
        door.app = self.inside(door)
        await pid.settle()
        assert (await pid.doi("r1"))["status"] == "done"

    async def test_an_outage_is_waited_for(self, pid, door, doi):
        door.faulty.faults = Faults(server_errors=1)
        await self.try_once(pid)
        seen = await pid.doi("r1")
        assert (seen["status"], seen["attempts"]) == ("pending", 1)
        assert "502" in seen["reason"]
        assert seen["next_try_at"] > f"{pid.clock.now():%Y-%m-%dT%H:%M:%S}"
        assert await pid.facts("pid.doi.failed.v1") == []
        door.faulty.faults = Faults()
        await pid.settle()
        seen = await pid.doi("r1")
        assert (seen["status"], seen["reason"], seen["attempts"]) == ("done", None, 0)

    async def test_what_it_refuses_is_final_until_something_changes(self, pid, door, doi, record):
        reason = await self.refuse(door, doi)
        await pid.settle()
        seen = await pid.doi("r1")
        assert (seen["status"], seen["next_try_at"]) == ("failed", None)
        assert reason in seen["reason"]
        (failed,) = await pid.facts("pid.doi.failed.v1")
        assert reason in failed["reason"]
        assert await pid.work_off() == 0

    async def test_a_lost_reply_costs_a_request_and_nothing_else(self, pid, door, doi):
        door.faulty.faults = Faults(lost_replies=1)
        await self.try_once(pid)
        assert "No answer in time" in (await pid.doi("r1"))["reason"]
        door.faulty.faults = Faults()
        await pid.settle()
        assert (await pid.doi("r1"))["status"] == "done"
        assert await self.remote_count(door) == 1
        assert len(await pid.facts("pid.doi.registered.v1")) == 1

    async def try_once(self, pid) -> None:
        """Until the registrar was asked once, and whoever waits for it has seen the answer."""
        for _ in range(20):
            await pid.work_off()
            if (await pid.doi("r1"))["attempts"]:
                return
            pid.clock.advance(timedelta(seconds=1))
        raise AssertionError("it was never asked")


class TestDataCite(RegistrarContract):
    name = "datacite"

    def inside(self, door, *, password=PASSWORD, prefix=PREFIX):
        account = Account("INDIGO.REPO", password, frozenset({prefix}))
        return create_sandbox(SandboxRegistrar(SandboxStore(door.engine, door.clock), account))

    def settings(self, door, secret):
        return {"datacite_url": door.url, "datacite_password": PASSWORD, "datacite_seconds": 0.5}

    async def remote(self, door, doi):
        async with httpx.AsyncClient(base_url=door.url, auth=("INDIGO.REPO", PASSWORD)) as http:
            found = (await http.get(f"/dois/{doi}")).json()["data"]["attributes"]
        return {"url": found["url"], "title": found["titles"][0]["title"], "state": found["state"]}

    async def remote_count(self, door):
        async with httpx.AsyncClient(base_url=door.url, auth=("INDIGO.REPO", PASSWORD)) as http:
            return (await http.get("/dois")).json()["meta"]["total"]

    async def refuse(self, door, doi):
        error = {"source": "url", "title": "URL is not allowed by repository domain settings.", "uid": doi}
        door.app = JSONResponse({"errors": [error]}, 422)
        return error["title"]


class TestCrossref(RegistrarContract):
    name = "crossref"

    def inside(self, door, *, password=PASSWORD, prefix=PREFIX):
        account = CrossrefAccount("role", password, frozenset({prefix}))
        return create_crossref_sandbox(SandboxCrossref(CrossrefStore(door.engine, door.clock), account))

    def settings(self, door, secret):
        return {
            "doi_registrars": {PREFIX: "crossref"},
            "crossref_url": door.url,
            "crossref_rest_url": door.url,
            "crossref_login": "role",
            "crossref_password_file": secret,
            "crossref_email": "ops@example.org",
            "crossref_seconds": 0.5,
        }

    async def remote(self, door, doi):
        async with httpx.AsyncClient(base_url=door.url) as http:
            found = (await http.get(f"/works/{doi}")).json()["message"]
        return {"url": found["resource"]["primary"]["URL"], "title": found["title"][0], "state": None}

    async def remote_count(self, door):
        async with httpx.AsyncClient(base_url=door.url) as http:
            return (await http.get(f"/prefixes/{PREFIX}/works")).json()["message"]["total-results"]

    async def refuse(self, door, doi):
        async with CrossrefStore(door.engine, door.clock).open() as desk:
            await desk.write(Work(doi, "https://elsewhere.example.org/", "Mine", "dataset"), 9_999_999_999_999_999)
        return "previously submitted version"

    async def test_its_list_may_lag_behind(self, pid, door, doi):
        await pid.settle()
        async with door.engine.begin() as conn:
            await conn.execute(sa.text("DELETE FROM sandbox_works"))

        async def drift():
            found = (await pid.http.get("/api/dois/drift", headers=pid.auth("operator"))).json()
            return found["in_progress"], found["counts"]["missing"]

        assert await drift() == (1, 0)
        pid.clock.advance(CROSSREF_LAG)
        assert await drift() == (0, 1)

    async def test_a_refusal_to_tell_says_nothing_of_the_dois(self, pid, door, doi):
        await pid.work_off()
        pid.clock.advance(GATHER)
        await pid.work_off()
        inside, door.app = door.app, PlainTextResponse("gone", 410)
        await self.try_once(pid)
        assert ((await pid.doi("r1"))["status"], await pid.facts("pid.doi.failed.v1")) == ("pending", [])
        door.app = inside
        await pid.settle()
        assert (await pid.doi("r1"))["status"] == "done"

    async def test_a_page_that_shows_the_password_is_not_shown(self, pid, door, doi):
        door.app = PlainTextResponse(f"500 at ?usr=role&pwd={PASSWORD}", 500)
        await self.try_once(pid)
        assert "500 at ?usr=role&pwd=…" in (await pid.doi("r1"))["reason"]

    async def test_it_says_that_it_hides_nothing(self, pid, door, doi, record):
        await pid.settle()
        gone = record(**{**PUBLISHED, "state": RecordState.WITHDRAWN}, version=2)
        await pid.deliver(RecordWithdrawn(record=gone, reason="wrong sensor"))
        await pid.settle()
        assert (await pid.doi("r1"))["note"] == NOT_HIDDEN
        (fact,) = await pid.facts("pid.doi.hidden.v1")
        assert fact["note"] == NOT_HIDDEN
        assert (await self.remote(door, doi))["title"] == "WITHDRAWN: Water quality of the reservoir"
