"""Requests at the same time: what was answered is kept, and what cannot be kept is refused."""

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from indigo_kernel.problems import Unavailable
from indigo_qos_gateway.adapters.db.nodes import SqlNodes, SqlQueues
from indigo_qos_gateway.adapters.db.objects import SqlObjects
from indigo_qos_gateway.adapters.db.uow import GatewayWork
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.application import copying
from indigo_qos_gateway.application.lifetimes import Timers


class Gate:
    """Holds up the first call of a method for a path, before it does anything."""

    def __init__(self, monkeypatch, owner, name, wanted):
        self.reached, self.open, self._armed = asyncio.Event(), asyncio.Event(), True
        real = getattr(owner, name)

        async def held(this, *args, **kwargs):
            if self._armed and wanted(args[0]):
                self._armed = False
                self.reached.set()
                await self.open.wait()
            return await real(this, *args, **kwargs)

        monkeypatch.setattr(owner, name, held)

    @asynccontextmanager
    async def holding(self, request):
        """``request`` waits at the gate while the block runs."""
        task = asyncio.create_task(request)
        try:
            async with asyncio.timeout(60):
                await asyncio.wait([task, asyncio.create_task(self.reached.wait())], return_when="FIRST_COMPLETED")
                assert self.reached.is_set(), task.result().text
                yield task
        finally:
            self.open.set()
            await task


async def until(true):
    async with asyncio.timeout(20):
        while not await true():
            await asyncio.sleep(0.01)


async def until_it_waits(qos, task):
    """Until the task waits for a lock of somebody else, or is over."""

    async def waits():
        return task.done() or await qos.rows("SELECT pid FROM pg_locks WHERE NOT granted")

    await until(waits)


async def put(qos, path, kind="object", **body):
    headers = qos.auth("qos:change", "operator") | {"content-type": f"application/cdmi-{kind}"}
    return await qos.http.put(path, content=json.dumps(body), headers=headers)


async def value(qos, path):
    return (await qos.http.get(path, headers=qos.auth() | {"accept": "application/octet-stream"})).content


async def test_what_is_on_its_way_is_not_changed(qos, monkeypatch):
    await qos.store("/box/f", b"old")
    gate = Gate(monkeypatch, PosixBackend, "write", lambda path: path == "/moved/f")
    async with gate.holding(put(qos, "/moved/", "container", move="/box/")) as moved:
        assert (await put(qos, "/box/f", metadata={"colour": "blue"})).status_code == 409
        assert (await put(qos, "/box/f", value="new")).status_code == 409
        assert (await put(qos, "/box/", "container", metadata={"colour": "blue"})).status_code == 409
        assert (await put(qos, "/box/inner/", "container")).status_code == 409
        assert (await put(qos, "/moved/f", value="new")).status_code == 409, "it would be overwritten"
        assert (await put(qos, "/", "container", metadata={"colour": "blue"})).status_code == 204
    assert moved.result().status_code == 201
    assert await value(qos, "/moved/f") == b"old"
    assert (await qos.cdmi("/"))["children"] == ["moved"]


async def test_bytes_that_come_while_their_object_goes_are_not_taken(qos, monkeypatch):
    await qos.store("/f", b"old")
    storing, go_on = await qos.slowly("/f")
    gate = Gate(monkeypatch, PosixBackend, "delete", lambda path: path == "/f")
    async with gate.holding(put(qos, "/g", move="/f")):
        go_on.set()
        answer = await storing
    assert answer.status_code == 409
    assert await value(qos, "/g") == b"old"
    assert (await qos.http.get("/f")).status_code == 404


async def test_a_move_begins_after_the_change_that_is_about_to_be_kept(qos, monkeypatch):
    await qos.store("/f", b"old")
    gate = Gate(monkeypatch, SqlObjects, "save", lambda stored: "colour" in stored.metadata)
    async with gate.holding(put(qos, "/f", metadata={"colour": "blue"})) as changed:
        moving = asyncio.create_task(put(qos, "/g", move="/f"))
        await until_it_waits(qos, moving)
    assert (changed.result().status_code, (await moving).status_code) == (204, 201)
    assert (await qos.cdmi("/g"))["metadata"]["colour"] == "blue"


async def test_what_a_move_took_away_unnoticed_is_not_said_to_be_stored(qos, monkeypatch):
    await qos.store("/box/f", b"old")
    gate = Gate(monkeypatch, GatewayWork, "beside", lambda key: True)
    async with gate.holding(put(qos, "/box/late", value="new")) as late:
        assert (await put(qos, "/moved/", "container", move="/box/")).status_code == 201
    assert late.result().status_code in {201, 409}
    assert (await value(qos, "/box/late") == b"new") == (late.result().status_code == 201)


async def test_a_hold_and_a_move_at_the_same_time(qos, monkeypatch):
    await qos.store("/f", b"old")
    gate = Gate(monkeypatch, GatewayWork, "alone", lambda key: key == "transfers")
    async with gate.holding(put(qos, "/g", move="/f")) as moved:
        assert (await put(qos, "/f", metadata={"cdmi_hold_id": ["case 7"]})).status_code == 204
    assert moved.result().status_code == 403
    assert await value(qos, "/f") == b"old"


async def test_no_worker_begins_what_a_request_is_at(qos, monkeypatch):
    monkeypatch.setattr(copying, "_AT_IT", 0.01)
    await qos.store("/f", b"old")
    gate = Gate(monkeypatch, PosixBackend, "write", lambda path: path == "/g")

    async def put_off():
        (job,) = await qos.rows("SELECT run_at FROM jobs")
        return job.run_at > qos.clock.now() + timedelta(seconds=50)

    async with gate.holding(put(qos, "/g", move="/f")) as moved:
        for _ in range(3):
            qos.clock.advance(timedelta(seconds=50))
            await until(put_off)
            assert await qos.work_off() == 0
    assert moved.result().status_code == 201
    assert await value(qos, "/g") == b"old"


@pytest.mark.parametrize("kind", ["copy", "move"])
async def test_who_comes_back_after_another_one_finished_it_overwrites_nothing(qos, monkeypatch, kind):
    await qos.store("/f", b"old")
    identifier = (await qos.cdmi("/f"))["objectID"]
    gate = Gate(monkeypatch, PosixBackend, "write", lambda path: path == "/g")
    async with gate.holding(put(qos, "/g", **{kind: "/f"})) as first:
        qos.clock.advance(timedelta(minutes=2))
        await qos.work_off()
        assert (await put(qos, "/g", value="new")).status_code == 204
        shown = await qos.cdmi("/g")
    assert first.result().status_code == 201
    assert await value(qos, "/g") == b"new"
    assert (await qos.cdmi("/g"))["objectID"] == shown["objectID"]
    assert (shown["objectID"] == identifier) == (kind == "move")


@pytest.mark.parametrize(("path", "kind"), [("/f", "object"), ("/box/", "container")])
async def test_a_change_does_not_erase_a_hold_that_came_before_it(qos, monkeypatch, path, kind):
    await qos.store("/f", b"old")
    await qos.store("/box/f", b"old")
    gate = Gate(monkeypatch, GatewayWork, "beside", lambda key: True)
    headers = {"content-type": f"application/cdmi-{kind}"}
    change = json.dumps({"metadata": {"colour": "blue"}})
    async with gate.holding(qos.http.put(path, content=change, headers=qos.auth() | headers)) as changed:
        assert (await put(qos, path, kind, metadata={"cdmi_hold_id": ["case 7"]})).status_code == 204
    assert changed.result().status_code == 403
    assert (await qos.cdmi(path))["metadata"]["cdmi_hold_id"] == ["case 7"]


async def test_both_of_two_changes_are_kept(qos, monkeypatch):
    await qos.store("/f", b"old")
    gate = Gate(monkeypatch, SqlObjects, "save", lambda stored: "colour" in stored.metadata)
    async with gate.holding(put(qos, "/f?metadata:colour", metadata={"colour": "blue"})):
        size = asyncio.create_task(put(qos, "/f?metadata:size", metadata={"size": "big"}))
        await until_it_waits(qos, size)
    assert (await size).status_code == 204
    metadata = (await qos.cdmi("/f"))["metadata"]
    assert (metadata["colour"], metadata["size"]) == ("blue", "big")


async def test_both_of_two_changes_of_a_queue_are_kept(qos, monkeypatch):
    assert (await put(qos, "/q", "queue", metadata={})).status_code == 201
    gate = Gate(monkeypatch, SqlNodes, "save", lambda node: "colour" in node.metadata)
    async with gate.holding(put(qos, "/q?metadata:colour", "queue", metadata={"colour": "blue"})):
        size = asyncio.create_task(put(qos, "/q?metadata:size", "queue", metadata={"size": "big"}))
        await until_it_waits(qos, size)
    assert (await size).status_code == 204
    metadata = (await qos.cdmi("/q?metadata"))["metadata"]
    assert (metadata["colour"], metadata["size"]) == ("blue", "big")


async def test_a_value_is_taken_out_of_a_queue_once(qos, monkeypatch):
    for path in ("/a", "/b"):
        assert (await put(qos, path, "queue", metadata={})).status_code == 201
    values, headers = json.dumps({"value": ["one", "two"]}), {"content-type": "application/cdmi-object"}
    assert (await qos.http.post("/a", content=values, headers=qos.auth() | headers)).status_code == 204
    gate = Gate(monkeypatch, SqlQueues, "push", lambda _: True)
    async with gate.holding(put(qos, "/b", "queue", move="/a")) as moved:
        removing = asyncio.create_task(qos.http.delete("/a?values:1-1", headers=qos.auth()))
        await until_it_waits(qos, removing)
    assert (moved.result().status_code, (await removing).status_code) == (204, 404)
    left = [(await qos.http.get(f"{path}?values:9", headers=qos.auth())).json()["value"] for path in ("/a", "/b")]
    assert left == [["two"], ["one"]]


@pytest.mark.parametrize("kind", ["queue", "object"])
async def test_a_queue_or_reference_and_an_object_never_share_a_path(qos, monkeypatch, kind):
    body = {"metadata": {}} if kind == "queue" else {"reference": "http://example.org/"}
    storing, go_on = await qos.slowly("/f")
    assert (await put(qos, "/f", kind, **body)).status_code == 201
    go_on.set()
    assert (await storing).status_code == 409
    gate = Gate(monkeypatch, SqlNodes, "add", lambda node: node.path == "/g")
    async with gate.holding(put(qos, "/g", kind, **body)) as made:
        storing = asyncio.create_task(put(qos, "/g", value="x"))
        await until_it_waits(qos, storing)
    assert (made.result().status_code, (await storing).status_code) == (201, 409)
    gate = Gate(monkeypatch, SqlObjects, "save", lambda stored: stored.path == "/h")
    looked = Gate(monkeypatch, GatewayWork, "beside", lambda key: not gate.reached.is_set())
    making, writing = put(qos, "/h", kind, **body), put(qos, "/h", value="x")
    async with looked.holding(making) as made, gate.holding(writing) as storing:
        looked.open.set()
        await asyncio.wait([made], timeout=20)
    assert (made.result().status_code, storing.result().status_code) == (409, 201)
    assert [row.path for row in await qos.rows("SELECT path FROM nodes ORDER BY path")] == ["/f", "/g"]


async def test_bytes_are_not_replaced_when_a_hold_comes_while_they_do(qos):
    await qos.store("/f", b"old")
    storing, go_on = await qos.slowly("/f")
    assert (await put(qos, "/f", metadata={"cdmi_hold_id": ["case 7"]})).status_code == 204
    go_on.set()
    assert (await storing).status_code == 403
    assert await value(qos, "/f") == b"old"


async def test_nothing_is_put_on_hold_or_stored_where_something_is_removed(qos, monkeypatch):
    await qos.store("/box/f", b"old")
    gate = Gate(monkeypatch, PosixBackend, "delete", lambda path: path == "/box")
    async with gate.holding(qos.http.delete("/box/", headers=qos.auth())) as removed:
        assert (await put(qos, "/box/f", metadata={"cdmi_hold_id": ["case 7"]})).status_code == 409
        assert (await put(qos, "/box/new", value="x")).status_code == 409
        assert (await put(qos, "/moved/", "container", move="/box/")).status_code == 409
        assert (await qos.http.delete("/box/f", headers=qos.auth())).status_code == 409
        assert (await put(qos, "/other", value="x")).status_code == 201
    assert removed.result().status_code == 204
    assert [row.path for row in await qos.rows("SELECT path FROM objects WHERE path LIKE '/box%'")] == []
    for table in ("transfers", "jobs"):
        assert await qos.rows(f"SELECT * FROM {table}") == []
    await qos.store("/box/f", b"new")


async def test_a_removal_that_comes_after_a_hold_sees_it(qos, monkeypatch):
    await qos.store("/f", b"old")
    gate = Gate(monkeypatch, SqlObjects, "save", lambda stored: "cdmi_hold_id" in stored.metadata)
    async with gate.holding(put(qos, "/f", metadata={"cdmi_hold_id": ["case 7"]})) as held:
        removing = asyncio.create_task(qos.http.delete("/f", headers=qos.auth()))
        await until_it_waits(qos, removing)
    assert (held.result().status_code, (await removing).status_code) == (204, 403)
    assert await value(qos, "/f") == b"old"


async def test_what_nobody_waits_for_any_more_is_removed_all_the_same(qos, monkeypatch):
    await qos.store("/box/f", b"old")
    gate = Gate(monkeypatch, PosixBackend, "delete", lambda path: path == "/box")
    gone = asyncio.create_task(qos.http.delete("/box/", headers=qos.auth()))
    await gate.reached.wait()
    gone.cancel()
    await asyncio.wait([gone])
    assert (await qos.http.get("/box/f")).status_code == 200
    qos.clock.advance(timedelta(minutes=2))
    await qos.work_off()
    assert (await qos.http.get("/box")).status_code == 404
    for table in ("transfers", "jobs"):
        assert await qos.rows(f"SELECT * FROM {table}") == []


async def test_what_a_storage_cannot_remove_stays_as_it_was(qos, monkeypatch):
    await qos.store("/f", b"old")

    async def refuse(self, path):
        raise Unavailable("not now")

    with monkeypatch.context() as patched:
        patched.setattr(PosixBackend, "delete", refuse)
        assert (await qos.http.delete("/f", headers=qos.auth())).status_code == 503
    assert await value(qos, "/f") == b"old"
    assert (await put(qos, "/f", metadata={"colour": "blue"})).status_code == 204
    assert await qos.rows("SELECT * FROM jobs") == []


@pytest.mark.parametrize(
    ("path", "kind", "body"),
    [
        ("/f", "object", {"value": "x"}),
        ("/f", "object", {"move": "/old"}),
        ("/c/", "container", {}),
        ("/q", "queue", {}),
    ],
)
async def test_nothing_comes_to_a_domain_that_is_gone(qos, monkeypatch, path, kind, body):
    heir = {"metadata": {"cdmi_domain_delete_reassign": "/cdmi_domains/heir/"}}
    assert (await put(qos, "/cdmi_domains/heir/", "domain")).status_code == 201
    assert (await put(qos, "/cdmi_domains/bio/", "domain", **heir)).status_code == 201
    assert (await put(qos, "/box/", "container", domainURI="/cdmi_domains/bio/")).status_code == 201
    await qos.store("/old", b"x")
    gate = Gate(monkeypatch, GatewayWork, "beside", lambda key: key == "transfers")
    async with gate.holding(put(qos, "/box" + path, kind, **body)) as inside:
        answer = await qos.http.delete("/cdmi_domains/bio/", headers=qos.auth("operator"))
        assert answer.status_code == 204, answer.text
    assert inside.result().status_code in {201, 409}
    assert (await put(qos, "/cdmi_domains/bio/", "domain", **heir)).status_code == 201
    again = Gate(monkeypatch, GatewayWork, "beside", lambda key: key == "transfers")
    given = {k: v for k, v in body.items() if k != "move"}
    async with again.holding(put(qos, path, kind, domainURI="/cdmi_domains/bio/", **given)) as made:
        assert (await qos.http.delete("/cdmi_domains/bio/", headers=qos.auth("operator"))).status_code == 204
    assert made.result().status_code == 409
    for table in ("objects", "nodes"):
        assert await qos.rows(f"SELECT path FROM {table} WHERE domain LIKE '%bio'") == []


@pytest.mark.parametrize("how", ["move", "delete"])
async def test_what_changes_its_class_is_not_taken_away_with_its_container(start_qos, how):
    async with start_qos(transition_patience="PT0S") as qos:
        await qos.store("/box/f", b"old")

        async def take_away():
            if how == "move":
                return (await put(qos, "/moved/", "container", move="/box/")).status_code
            return (await qos.http.delete("/box/", headers=qos.auth())).status_code

        async with qos.drives_taken():
            assert (await qos.change("/box/f", "/cdmi_capabilities/dataobject/DiskAndTape")).status_code == 204
            await qos.work_off()
            assert await take_away() == 409
        for _ in range(5):
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert [row.state for row in await qos.rows("SELECT state FROM transitions")] == ["COMPLETED"]
        assert await take_away() in {201, 204}


async def test_no_transition_begins_where_something_is_moved(qos, monkeypatch):
    await qos.store("/box/f", b"old")
    body = {"path": "/box/f", "target_class": "TapeOnly"}
    gate = Gate(monkeypatch, PosixBackend, "write", lambda path: path == "/moved/f")
    async with gate.holding(put(qos, "/moved/", "container", move="/box/")):
        assert (await qos.http.post("/api/transitions", json=body, headers=qos.auth())).status_code == 409
    assert await qos.rows("SELECT * FROM transitions") == []


async def test_what_is_stored_anew_while_a_timer_looks_for_the_old_one_is_kept(qos, monkeypatch):
    lifetime = {"cdmi_capability_lifetime": "PT1H", "cdmi_capability_lifetime_action": "delete"}
    assert (await put(qos, "/f", metadata=lifetime, value="old")).status_code == 201
    (qos.directory / "disk" / "f").unlink()
    qos.clock.advance(timedelta(hours=2))
    gate = Gate(monkeypatch, Timers, "_gone", lambda timer: True)
    async with gate.holding(qos.work_off()):
        made = await put(qos, "/f", metadata=lifetime, value="new")
        assert made.status_code == 201
    assert (await qos.cdmi("/f"))["objectID"] == made.json()["objectID"]
    assert await qos.rows("SELECT * FROM outbox") == []
    qos.clock.advance(timedelta(hours=1))
    await qos.work_off()
    assert (await qos.http.get("/f")).status_code == 404
