"""Many transitions in one request."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from indigo_qos_gateway.application import batch_carrying
from sqlalchemy import event


async def bulk(qos, targets, name="DiskAndTape", **headers):
    return await qos.http.post(
        "/api/transitions/bulk",
        json={"targets": targets, "target_class": name},
        headers=qos.auth() | headers,
    )


async def state(qos, asked):
    return (await qos.http.get(f"/api/transitions/bulk/{asked.json()['id']}")).json()


async def targets(qos, asked, **params):
    answer = await qos.http.get(f"/api/transitions/bulk/{asked.json()['id']}/targets", params=params)
    return answer.json()["items"]


async def test_every_target_has_a_state_of_its_own(qos):
    for n in range(3):
        await qos.store(f"/box/{n}", b"x" * 1000)
    await qos.bring("/box/2", "DiskAndTape")
    before = len(await qos.facts())
    asked = await bulk(qos, ["/box/0", "/box/1/", "/box/2", "/none", "/box/0"])
    assert asked.status_code == 202, asked.text
    assert asked.headers["location"] == f"http://gateway.example.org/api/transitions/bulk/{asked.json()['id']}"
    assert (asked.json()["state"], asked.json()["total"]) == ("SUBMITTED", 4)
    await qos.work_off()
    done = await state(qos, asked)
    assert (done["state"], done["progress"]) == ("FAILED", 1.0)
    assert {key: n for key, n in done["counts"].items() if n} == {"COMPLETED": 3, "FAILED": 1}
    found = await targets(qos, asked)
    assert [each["path"] for each in found] == ["/box/0", "/box/1", "/box/2", "/none"]
    assert found[2]["transition_id"] is None
    assert "Object not found" in found[3]["error"]
    assert [each["path"] for each in await targets(qos, asked, state="FAILED")] == ["/none"]
    facts = (await qos.facts())[before:]
    assert sorted(name for name, _ in facts) == ["completed"] * 2 + ["requested"] * 2
    assert (await qos.cdmi("/box/1"))["capabilitiesURI"].endswith("DiskAndTape")
    transition = (await qos.http.get(f"/api/transitions/{found[0]['transition_id']}")).json()
    assert transition["objects"][0]["locality"] == "DISK_AND_TAPE"
    assert transition["provided"]["cdmi_data_redundancy_provided"] == "2"
    assert await qos.rows("SELECT * FROM jobs") == []


async def test_containers_take_what_is_in_them_along(qos):
    for n in range(2):
        await qos.store(f"/box/{n}", b"x")
    asked = await bulk(qos, ["/box/", "/box/0"])
    for _ in range(3):
        await qos.work_off()
        qos.clock.advance(timedelta(seconds=10))
    done = await state(qos, asked)
    assert done["state"] == "COMPLETED", await targets(qos, asked)
    assert len({each["transition_id"] for each in await targets(qos, asked)}) == 1
    assert (await qos.cdmi("/box/1"))["capabilitiesURI"].endswith("DiskAndTape")


async def test_what_is_on_its_way_is_joined_or_refused(qos):
    await qos.store("/a", b"x")
    await qos.store("/b", b"x")
    same = await qos.change("/a", "/cdmi_capabilities/dataobject/TapeOnly")
    assert same.status_code == 204
    await qos.change("/b", "/cdmi_capabilities/dataobject/DiskAndTape")
    asked = await bulk(qos, ["/a", "/b"], "TapeOnly")
    batch = qos.runtime.workers[1]
    await qos._claimed(batch)
    found = await targets(qos, asked)
    assert found[0]["state"] == "STARTED"
    assert "on its way to DiskAndTape" in found[1]["error"]
    await qos.work_off()
    qos.clock.advance(timedelta(seconds=10))
    await qos.work_off()
    assert [each["state"] for each in await targets(qos, asked)] == ["COMPLETED", "FAILED"]


async def test_cancelling_leaves_everything_readable(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        for n in range(3):
            await qos.store(f"/box/{n}", b"x" * 1000)
        async with qos.drives_taken():
            asked = await bulk(qos, [f"/box/{n}" for n in range(3)], "TapeOnly")
            await qos.work_off()
            assert (await state(qos, asked))["counts"]["STARTED"] == 3
            assert (await qos.cdmi("/box/1"))["metadata"]["cdmi_capabilities_target"].endswith("TapeOnly")
            url = f"/api/transitions/bulk/{asked.json()['id']}/cancel"
            assert (await qos.http.post(url)).status_code == 401
            assert (await qos.http.post(url, headers=qos.auth())).status_code == 202
        qos.clock.advance(timedelta(seconds=10))
        await qos.work_off()
        done = await state(qos, asked)
        assert (done["state"], done["counts"]["CANCELLED"]) == ("CANCELLED", 3)
        for n in range(3):
            found = await qos.cdmi(f"/box/{n}")
            assert "cdmi_capabilities_target" not in found["metadata"]
        assert [name for name, _ in await qos.facts()] == ["requested"] * 3 + ["cancelled"] * 3


async def test_one_of_many_can_be_cancelled_by_itself(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        for n in range(2):
            await qos.store(f"/box/{n}", b"x")
        async with qos.drives_taken():
            asked = await bulk(qos, ["/box/0", "/box/1"])
            await qos.work_off()
            first = (await targets(qos, asked))[0]["transition_id"]
            cancelled = await qos.http.post(f"/api/transitions/{first}/cancel", headers=qos.auth())
            assert cancelled.status_code == 202
        for _ in range(3):
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert [each["state"] for each in await targets(qos, asked)] == ["CANCELLED", "COMPLETED"]


async def test_a_worker_that_died_is_replaced(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        for n in range(3):
            await qos.store(f"/box/{n}", b"x" * 1000)
        async with qos.drives_taken() as drives:
            asked = await bulk(qos, [f"/box/{n}" for n in range(3)], "TapeOnly")
            await qos.work_off()
            for forgotten in (drives._queue, drives._steps, drives._at):
                forgotten.clear()
    async with start_qos(keep=True) as qos:
        for _ in range(3):
            qos.clock.advance(timedelta(minutes=2))
            await qos.work_off()
        assert (await state(qos, asked))["state"] == "COMPLETED", await targets(qos, asked)
        assert [name for name, _ in await qos.facts()] == ["requested"] * 3 + ["completed"] * 3


async def test_what_a_worker_did_before_it_died_is_told_once(start_qos):
    """Everything is at its new class, and nobody was told: the next worker finds that, copies nothing and tells it."""
    async with start_qos(transition_patience="PT0S") as qos:
        for n in range(3):
            await qos.store(f"/box/{n}", b"x" * 1000)
        async with qos.drives_taken() as drives:
            asked = await bulk(qos, [f"/box/{n}" for n in range(3)])
            await qos.work_off()
            assert (await state(qos, asked))["counts"]["STARTED"] == 3
        await asyncio.gather(*(step.over for step in drives._steps.values()))
        assert (await qos.cdmi("/box/1"))["capabilitiesURI"].endswith("DiskAndTape")
        assert [name for name, _ in await qos.facts()] == ["requested"] * 3
        copies = {path: path.stat().st_mtime_ns for path in (qos.directory / "tape").glob("*/*")}
    async with start_qos(keep=True) as qos:
        for _ in range(3):
            qos.clock.advance(timedelta(minutes=2))
            await qos.work_off()
        assert (await state(qos, asked))["state"] == "COMPLETED", await targets(qos, asked)
        facts = await qos.facts()
        assert [name for name, _ in facts] == ["requested"] * 3 + ["completed"] * 3
        assert len({each["objects"][0]["sha256"] for _, each in facts[3:]}) == 1
        assert {path: path.stat().st_mtime_ns for path in (qos.directory / "tape").glob("*/*")} == copies


async def test_more_targets_than_are_in_work_at_a_time(qos, monkeypatch):
    monkeypatch.setattr(batch_carrying, "SLICE", 4)
    monkeypatch.setattr(batch_carrying, "WINDOW", 8)
    for n in range(30):
        await qos.store(f"/box/{n}", b"x" * n)
    asked = await bulk(qos, [f"/box/{n}" for n in range(30)] + ["/none"])
    await qos.work_off()
    assert {key: n for key, n in (await state(qos, asked))["counts"].items() if n} == {
        "COMPLETED": 30,
        "FAILED": 1,
    }
    facts = await qos.facts()
    assert sorted(name for name, _ in facts) == ["completed"] * 30 + ["requested"] * 30
    assert len({each["transition_id"] for _, each in facts}) == 30


async def test_damage_is_told_for_the_object_it_is_in(start_qos):
    async with start_qos(transition_attempts=2) as qos:
        for n in range(2):
            await qos.store(f"/box/{n}", b"the right bytes")
        (qos.directory / "disk/box/0").write_bytes(b"the wrong bytes")
        asked = await bulk(qos, ["/box/0", "/box/1"])
        for _ in range(3):
            await qos.work_off()
            qos.clock.advance(timedelta(minutes=1))
        found = await targets(qos, asked)
        assert [each["state"] for each in found] == ["FAILED", "COMPLETED"]
        assert "SHA-256" in found[0]["error"]


@pytest.mark.parametrize(
    ("body", "status", "pointer"),
    [
        ({"targets": ["/a"], "target_class": "Gold"}, 400, "/target_class"),
        ({"targets": ["/a", "b", "/c/../d"], "target_class": "TapeOnly"}, 400, "/targets/1"),
        ({"targets": [], "target_class": "TapeOnly"}, 422, "/targets"),
        ({"targets": ["/a"]}, 422, "/target_class"),
        ({"targets": ["/a"], "target_class": "TapeOnly", "more": 1}, 422, "/more"),
        ({"targets": ["/1", "/2", "/3", "/4"], "target_class": "TapeOnly"}, 413, None),
    ],
)
async def test_wrong_requests(start_qos, body, status, pointer):
    async with start_qos(batch_targets=3) as qos:
        answer = await qos.http.post("/api/transitions/bulk", json=body, headers=qos.auth())
        assert answer.status_code == status, answer.text
        if pointer:
            assert answer.json()["errors"][0]["pointer"] == pointer
        assert await qos.rows("SELECT * FROM batches") == []


async def test_who_may_ask_and_how_often(start_qos):
    async with start_qos(batch_active=1) as qos:
        body = {"targets": ["/a/f", "/b/f"], "target_class": "TapeOnly"}
        post = qos.http.post
        assert (await post("/api/transitions/bulk", json=body)).status_code == 401
        part = qos.auth("storage.modify:/a")
        assert (await post("/api/transitions/bulk", json=body, headers=part)).status_code == 403
        both = qos.auth("storage.modify:/a", "storage.modify:/b")
        assert (await post("/api/transitions/bulk", json=body, headers=both)).status_code == 202
        again = await post("/api/transitions/bulk", json=body, headers=both)
        assert again.headers["idempotency-replayed"] == "true"
        more = await bulk(qos, ["/a/f"])
        assert more.status_code == 429
        assert more.headers["retry-after"]
        await qos.work_off()
        assert (await bulk(qos, ["/a/f"])).status_code == 202
        without = {"authorization": both["authorization"]}
        assert (await post("/api/transitions/bulk", json=body, headers=without)).status_code == 400
        assert (await qos.http.get("/api/transitions/bulk/none")).status_code == 404


async def test_the_number_of_statements_does_not_grow_with_the_targets(qos):
    """What is asked of the database for a window of targets is the same for one and for many."""
    for n in range(80):
        await qos.store(f"/box/{n}", b"x")
    asked = Counter[str]()

    def count(_conn, _cursor, statement, _parameters, _context, executemany):
        asked[statement] += 1
        assert not executemany, statement

    event.listen(qos.runtime.database.engine.sync_engine, "before_cursor_execute", count)
    accepting = []
    for paths in (["/box/0"], [f"/box/{n}" for n in range(1, 80)]):
        asked.clear()
        assert (await bulk(qos, paths)).status_code == 202
        accepting.append(asked.total())
    assert accepting[0] == accepting[1]
    asked.clear()
    await qos.work_off()
    # Two threads take half of what is left each time, so that 79 files end in at most eight pieces.
    ((_, most),) = Counter({each: n for each, n in asked.items() if "UPDATE jobs" not in each}).most_common(1)
    assert most <= 20
