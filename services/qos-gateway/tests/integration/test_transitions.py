"""Transitions as jobs: requested, listed, cancelled, taken over, given up."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta

import pytest
from indigo_contracts.registry import FACTS
from indigo_kernel.db.reader import Reader
from indigo_qos_gateway.adapters.db.transitions import SqlTransitions
from indigo_qos_gateway.adapters.db.views import SqlViews
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.adapters.posix.groups import Groups
from indigo_qos_gateway.application.sighting import Sightings
from indigo_qos_gateway.domain.storage import Progress, StepState


async def request(qos, path, target, **headers):
    return await qos.http.post(
        "/api/transitions", json={"path": path, "target_class": target}, headers=qos.auth() | headers
    )


async def test_whatever_a_storage_says_of_its_failure_is_told(start_qos, monkeypatch):
    async def poll(*_):
        return Progress(StepState.FAILED, "half \ud800 and no \0 tape")

    monkeypatch.setattr(PosixBackend, "poll", poll)
    monkeypatch.setattr(Groups, "bring", lambda *_: None)
    async with start_qos(transition_attempts=2) as qos:
        await qos.store("/f", b"x")
        assert (await request(qos, "/f", "TapeOnly")).status_code == 202
        for _ in range(5):
            await qos.work_off()
            qos.clock.advance(timedelta(minutes=20))
        (shown,) = (await qos.http.get("/api/transitions")).json()["items"]
        assert (shown["state"], shown["error"]) == ("FAILED", "half ? and no � tape")


async def test_a_transition_tells_what_was_observed(qos):
    await qos.store("/box/f", b"x" * 5000)
    asked = await request(qos, "/box/f", "DiskAndTape")
    assert asked.status_code == 202
    body = asked.json()
    assert (body["state"], body["source_class"], body["target_class"]) == ("SUBMITTED", "DiskOnly", "DiskAndTape")
    assert asked.headers["location"] == f"http://gateway.example.org/api/transitions/{body['transition_id']}"
    await qos.work_off()
    done = (await qos.http.get(f"/api/transitions/{body['transition_id']}")).json()
    assert done["state"] == "COMPLETED"
    (placed,) = done["objects"]
    assert (placed["path"], placed["size"]) == ("/box/f", 5000)
    assert (placed["storage_class"], placed["locality"]) == ("DiskAndTape", "DISK_AND_TAPE")
    assert done["provided"]["cdmi_data_redundancy_provided"] == "2"
    assert [name for name, _ in await qos.facts()] == ["requested", "completed"]
    for row in await qos.rows("SELECT fact, body FROM outbox"):
        FACTS[row.fact].model_validate(json.loads(row.body)["data"])
    assert (
        json.loads((await qos.rows("SELECT body FROM outbox ORDER BY id"))[0].body)["data"]["actor"]["sub"]
        == "ana"
    )
    assert await qos.rows("SELECT * FROM jobs") == []


async def test_the_same_request_twice_is_one(qos):
    await qos.store("/f", b"x")
    first = await request(qos, "/f", "TapeOnly", **{"idempotency-key": "one"})
    again = await request(qos, "/f", "TapeOnly", **{"idempotency-key": "one"})
    assert first.json() == again.json()
    assert again.headers["idempotency-replayed"] == "true"
    other = await request(qos, "/f", "TapeOnly")
    assert other.json()["transition_id"] == first.json()["transition_id"]
    assert (await request(qos, "/f", "DiskAndTape")).status_code == 409
    assert len(await qos.facts()) == 1


async def test_many_at_once_make_one(qos):
    await qos.store("/f", b"x")
    answers = await asyncio.gather(*(request(qos, "/f", "TapeOnly") for _ in range(6)))
    assert len({answer.json()["transition_id"] for answer in answers}) == 1


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"path": "/nothing", "target_class": "TapeOnly"}, 404, None),
        ({"path": "/f", "target_class": "Gold"}, 400, "/target_class"),
        ({"path": "f", "target_class": "TapeOnly"}, 400, "/path"),
        ({"path": "/a/../f", "target_class": "TapeOnly"}, 400, "/path"),
        ({"path": "/f", "target_class": "DiskOnly"}, 409, None),
        ({"path": "/f"}, 422, "/target_class"),
        ({"path": "/f", "target_class": "TapeOnly", "more": 1}, 422, "/more"),
    ],
)
async def test_wrong_requests(qos, body, status, pointer):
    await qos.store("/f", b"x")
    answer = await qos.http.post("/api/transitions", json=body, headers=qos.auth())
    assert answer.status_code == status, answer.text
    if pointer:
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert await qos.facts() == []


async def test_who_may_ask(qos):
    body = {"path": "/f", "target_class": "TapeOnly"}
    await qos.store("/f", b"x")
    assert (await qos.http.post("/api/transitions", json=body)).status_code == 401
    answer = await qos.http.post("/api/transitions", json=body, headers=qos.auth("operator", "storage.modify:/"))
    assert answer.status_code == 403
    without_key = {"authorization": qos.auth()["authorization"]}
    assert (await qos.http.post("/api/transitions", json=body, headers=without_key)).status_code == 400
    asked = (await request(qos, "/f", "TapeOnly")).json()["transition_id"]
    assert (await qos.http.post(f"/api/transitions/{asked}/cancel")).status_code == 401
    assert (await qos.http.get("/api/transitions/none")).status_code == 404


async def test_listing_by_path_state_and_page(qos):
    for n in range(3):
        await qos.store(f"/box/{n}", b"x")
        await request(qos, f"/box/{n}", "TapeOnly")
    await qos.store("/boxer", b"x")
    await request(qos, "/boxer", "TapeOnly")
    await qos.work_off()
    await request(qos, "/box/1", "DiskOnly")
    page = (await qos.http.get("/api/transitions", params={"path": "/box/", "limit": 3})).json()
    assert [each["path"] for each in page["items"]] == ["/box/1", "/box/2", "/box/1"]
    rest = await qos.http.get(
        "/api/transitions", params={"path": "/box/", "limit": 3, "cursor": page["next_cursor"]}
    )
    assert [each["path"] for each in rest.json()["items"]] == ["/box/0"]
    submitted = (await qos.http.get("/api/transitions", params={"state": "SUBMITTED"})).json()["items"]
    assert [each["target_class"] for each in submitted] == ["DiskOnly"]
    assert (await qos.http.get("/api/transitions", params={"record": "r"})).json()["items"] == []
    assert (await qos.http.get("/api/transitions", params={"state": "LATE"})).status_code == 422
    assert (await qos.http.get("/api/transitions", params={"cursor": "forged"})).status_code == 422


async def test_what_did_not_start_is_cancelled_at_once(qos):
    await qos.store("/f", b"x")
    asked = (await request(qos, "/f", "TapeOnly")).json()["transition_id"]
    answer = await qos.http.post(f"/api/transitions/{asked}/cancel", headers=qos.auth())
    assert (answer.status_code, answer.json()["state"]) == (202, "CANCELLED")
    again = await qos.http.post(f"/api/transitions/{asked}/cancel", headers=qos.auth())
    assert again.status_code == 202
    await qos.work_off()
    assert (await qos.cdmi("/f"))["capabilitiesURI"].endswith("DiskOnly")
    assert [name for name, _ in await qos.facts()] == ["requested", "cancelled"]
    assert (await request(qos, "/f", "TapeOnly")).json()["transition_id"] != asked


async def test_what_runs_is_stopped_and_stays_readable(qos):
    data = b"x" * 1_000_000
    for n in range(5):
        await qos.store(f"/box/{n}", data)
    asked = (await request(qos, "/box/", "TapeOnly")).json()["transition_id"]
    async with qos.drives_taken() as drives:
        running = asyncio.create_task(qos.work_off())
        async with asyncio.timeout(20):
            while not drives._steps:
                await asyncio.sleep(0.01)
        answer = await qos.http.post(f"/api/transitions/{asked}/cancel", headers=qos.auth())
        assert answer.status_code == 202
    await running
    await qos.work_off()
    over = (await qos.http.get(f"/api/transitions/{asked}")).json()
    assert over["state"] == "CANCELLED"
    assert len(over["objects"]) == 5
    assert drives._steps == {}
    for n in range(5):
        found = await qos.cdmi(f"/box/{n}")
        assert "cdmi_capabilities_target" not in found["metadata"]
    finished = await qos.http.post(f"/api/transitions/{asked}/cancel", headers=qos.auth())
    assert finished.status_code == 202
    assert [name for name, _ in await qos.facts()] == ["requested", "cancelled"]


async def test_what_is_over_cannot_be_cancelled(qos):
    await qos.store("/f", b"x")
    asked = (await request(qos, "/f", "TapeOnly")).json()["transition_id"]
    await qos.work_off()
    assert (await qos.http.post(f"/api/transitions/{asked}/cancel", headers=qos.auth())).status_code == 409


async def test_a_slow_storage_is_asked_again_later(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        await qos.store("/f", b"x" * 1_000_000)
        asked = (await request(qos, "/f", "TapeOnly")).json()["transition_id"]
        runs = await qos.work_off()
        state = (await qos.http.get(f"/api/transitions/{asked}")).json()["state"]
        async with asyncio.timeout(20):
            while state != "COMPLETED":
                assert state == "STARTED"
                qos.clock.advance(timedelta(seconds=10))
                runs += await qos.work_off()
                state = (await qos.http.get(f"/api/transitions/{asked}")).json()["state"]
        assert [name for name, _ in await qos.facts()] == ["requested", "completed"]


async def test_what_was_deleted_meanwhile_fails_at_once(qos):
    await qos.store("/f", b"x")
    await request(qos, "/f", "TapeOnly")
    (qos.directory / "disk/f").unlink()
    await qos.work_off()
    assert [name for name, _ in await qos.facts()] == ["requested", "failed"]
    assert "Object not found" in (await qos.facts())[1][1]["error"]


async def test_damage_is_told_after_the_last_try(start_qos):
    async with start_qos(transition_attempts=1) as qos:
        await qos.store("/f", b"the right bytes")
        path = qos.directory / "disk/f"
        path.write_bytes(b"the wrong bytes")
        asked = (await request(qos, "/f", "DiskAndTape")).json()["transition_id"]
        await qos.work_off()
        failed = (await qos.http.get(f"/api/transitions/{asked}")).json()
        assert failed["state"] == "FAILED"
        assert "SHA-256" in failed["error"]
        assert [name for name, _ in await qos.facts()] == ["requested", "failed"]


async def test_a_worker_that_died_is_replaced(start_qos):
    async with start_qos() as qos:
        await qos.store("/f", b"x" * 1_000_000)
        asked = (await request(qos, "/f", "TapeOnly")).json()["transition_id"]
        # the first worker came as far as starting the step, then its process was gone
        async with qos.runtime.api.state.gateway.gateway.work() as work:
            transition = await work.transitions.get(asked, for_update=True)
            started = transition.start(work.now, "DiskOnly")
            await work.transitions.save(started)
            await work.conn.exec_driver_sql(
                'UPDATE transitions SET handles = \'{"/f": "of a dead process"}\' WHERE id = \'' + asked + "'"
            )
    async with start_qos(keep=True) as qos:
        await qos.work_off()
        qos.clock.advance(timedelta(minutes=1))
        await qos.work_off()
        assert (await qos.http.get(f"/api/transitions/{asked}")).json()["state"] == "COMPLETED"
        assert [name for name, _ in await qos.facts()] == ["requested", "completed"]


async def test_a_transition_that_ends_while_an_object_is_shown_does_not_look_failed(qos):
    await qos.store("/f", b"x")
    await request(qos, "/f", "DiskAndTape")

    class EndsBefore:
        """What is known, after the transition has come to its end."""

        async def find(self, paths):
            await qos.work_off()
            return await SqlViews(reader, gateway.mounts.lineage).find(paths)

    gateway, reader = qos.runtime.api.state.gateway.gateway, Reader(qos.runtime.database.engine)
    seen = await replace(gateway, sightings=Sightings(gateway.mounts, EndsBefore())).view("/f")
    await reader.close()
    assert (seen.status.storage_class, seen.moving_to) == ("DiskAndTape", None)


async def test_a_container_takes_few_statements_however_much_is_in_it(qos, monkeypatch):
    many, counted = 40, []
    for name in ("get", "save"):
        real = getattr(SqlTransitions, name)

        async def count(self, *args, real=real, name=name, **kwargs):
            counted.append(name)
            return await real(self, *args, **kwargs)

        monkeypatch.setattr(SqlTransitions, name, count)
    for n in range(many):
        await qos.store(f"/box/{n}", b"x")
    await qos.bring("/box/", "TapeOnly", "container")
    (told,) = [each for name, each in await qos.facts() if name == "completed"]
    assert len(told["objects"]) == many
    assert len(counted) < many  # about one look a second, and a handful for the transition itself
    shown = (await qos.http.get(f"/api/transitions/{told['transition_id']}")).json()
    assert (shown["bytes_done"], shown["bytes_total"]) == (many, many)
