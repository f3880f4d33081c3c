"""Copies and moves as durable work: short ones inside the request, long ones behind it, whatever dies meanwhile."""

import contextlib
import errno
import json
from datetime import timedelta

import pytest
from indigo_qos_gateway.adapters.posix.backend import PosixBackend

MANY = 60
STRICT = {"x-cdmi-specification-version": "1.1.1", "content-type": "application/cdmi-container"}


async def fill(qos, count, container="/box"):
    for n in range(count):
        await qos.store(f"{container}/{n % 3}/{n:03}", f"bytes of {n}".encode())


async def ask(qos, kind, source, path):
    return await qos.http.put(path, content=json.dumps({kind: source}), headers=qos.auth() | STRICT)


async def inside(qos, path):
    """Every object below a path with its bytes."""
    found = {}
    shown = await qos.cdmi(path)
    for name in shown["children"]:
        inner = f"{path}/{name}"
        if (await qos.cdmi(inner))["objectType"] == "application/cdmi-container":
            found |= await inside(qos, inner)
        else:
            found[inner] = (
                await qos.http.get(inner, headers=qos.auth() | {"accept": "application/octet-stream"})
            ).content
    return found


def expected(container, count=MANY):
    return {f"{container}/{n % 3}/{n:03}": f"bytes of {n}".encode() for n in range(count)}


async def with_nodes(qos, container):
    """A queue with two values of which the first was removed, and a reference below it."""
    queue = qos.auth() | {"content-type": "application/cdmi-queue"}
    await qos.http.put(f"{container}/0/q", content='{"metadata": {"colour": "blue"}}', headers=queue)
    await qos.http.post(f"{container}/0/q", content='{"value": ["one", "two"]}', headers=queue)
    await qos.http.delete(f"{container}/0/q?value", headers=qos.auth())
    reference = qos.auth() | {"content-type": "application/cdmi-object"}
    await qos.http.put(f"{container}/r", content='{"reference": "/elsewhere"}', headers=reference)


@pytest.mark.parametrize("count", [3, MANY])
async def test_a_copy_has_the_queues_and_references_too(qos, count):
    await fill(qos, count)
    await with_nodes(qos, "/box")
    assert (await ask(qos, "copy", "/box/", "/copy/")).status_code == (201 if count < MANY else 202)
    await qos.work_off()
    assert (await qos.cdmi("/copy"))["children"] == ["0", "1", "2", "r?"]
    old, new = [(await qos.http.get(f"/{box}/0/q", headers=qos.auth() | STRICT)).json() for box in ("box", "copy")]
    assert (new["value"], new["queueValues"], new["metadata"]) == (["two"], "2-2", {"colour": "blue"})
    assert (new["parentURI"], new["value"]) == ("/copy/0/", old["value"])
    assert new["objectID"] != old["objectID"]
    queue = qos.auth() | {"content-type": "application/cdmi-queue"}
    assert (await qos.http.post("/copy/0/q", content='{"value": "three"}', headers=queue)).status_code == 204
    assert (await qos.http.delete("/copy/0/q?value", headers=qos.auth())).status_code == 204
    shown = [(await qos.http.get(f"/{box}/0/q", headers=qos.auth() | STRICT)).json() for box in ("box", "copy")]
    assert [each["value"] for each in shown] == [["two"], ["three"]]
    for box in ("box", "copy"):
        assert (await qos.http.get(f"/{box}/r")).headers["location"] == "/elsewhere"
    assert (await qos.http.delete("/copy/", headers=qos.auth())).status_code == 204
    assert (await qos.http.get("/box/0/q", headers=STRICT)).status_code == 200


@pytest.mark.parametrize("kind", ["copy", "move"])
async def test_no_queue_or_reference_is_made_where_something_comes_or_goes(qos, kind):
    await fill(qos, MANY)
    assert (await ask(qos, kind, "/box/", "/new/")).status_code == 202
    for path, fits in (("/new", False), ("/box", kind == "copy")):
        for body_type, body in (("queue", "{}"), ("object", '{"reference": "/elsewhere"}')):
            headers = qos.auth() | {"content-type": f"application/cdmi-{body_type}"}
            answer = await qos.http.put(f"{path}/{body_type}", content=body, headers=headers)
            assert answer.status_code == (201 if fits else 409), answer.text
    await qos.work_off()
    shown = await qos.cdmi("/new")
    made_meanwhile = ["object?", "queue"] if kind == "copy" else []
    assert (shown["completionStatus"], shown["children"]) == ("Complete", ["0", "1", "2", *made_meanwhile])


async def test_a_long_copy_is_done_behind_the_request(qos):
    await fill(qos, MANY)
    asked = await ask(qos, "copy", "/box/", "/copy/")
    assert asked.status_code == 202, asked.text
    assert asked.headers["location"] == "http://gateway.example.org/copy/"
    body = asked.json()
    assert (body["completionStatus"], body["percentComplete"]) == ("Processing", "0")
    assert (await qos.cdmi("/copy"))["completionStatus"] == "Processing"
    busy = await qos.http.delete("/copy/", headers=qos.auth())
    assert busy.status_code == 409
    await qos.work_off()
    shown = await qos.cdmi("/copy")
    assert shown["completionStatus"] == "Complete"
    assert "percentComplete" not in shown
    assert shown["objectID"] == body["objectID"]
    assert await inside(qos, "/copy") == expected("/copy")
    assert await inside(qos, "/box") == expected("/box")


async def test_a_long_move_keeps_identities_and_leaves_nothing(qos):
    await fill(qos, MANY)
    before = (await qos.cdmi("/box"))["objectID"], (await qos.cdmi("/box/0/000"))["objectID"]
    assert (await ask(qos, "move", "/box/", "/moved/")).status_code == 202
    refused = await qos.http.put("/box/0/000", content=b"new", headers=qos.auth())
    assert refused.status_code == 409
    await qos.work_off()
    assert ((await qos.cdmi("/moved"))["objectID"], (await qos.cdmi("/moved/0/000"))["objectID"]) == before
    assert await inside(qos, "/moved") == expected("/moved")
    assert (await qos.http.get("/box")).status_code == 404
    assert await qos.rows("SELECT * FROM transfers") == []


async def test_a_short_one_is_done_in_the_request(qos):
    await fill(qos, 5)
    assert (await ask(qos, "copy", "/box/", "/copy/")).status_code == 201
    assert await inside(qos, "/copy") == expected("/copy", 5)
    assert (await ask(qos, "move", "/copy/", "/moved/")).status_code == 201
    assert await inside(qos, "/moved") == expected("/moved", 5)
    assert (await qos.http.get("/copy")).status_code == 404
    qos.clock.advance(timedelta(minutes=2))
    await qos.work_off()
    assert await qos.rows("SELECT * FROM jobs") == []


async def test_a_copy_that_cannot_be_finished_says_why_at_its_target(start_qos):
    async with start_qos(transition_attempts=1) as qos:
        await fill(qos, MANY)
        await qos.bring("/box/2/011", "TapeOnly")
        assert (await ask(qos, "copy", "/box/", "/copy/")).status_code == 202
        await qos.work_off()
        shown = await qos.cdmi("/copy")
        assert shown["completionStatus"].startswith("Error: /box/2/011 is on tape")
        assert (await qos.http.delete("/copy/", headers=qos.auth())).status_code == 204
        await qos.bring("/box/2/011", "DiskOnly")
        assert (await ask(qos, "copy", "/box/", "/copy/")).status_code == 202
        await qos.work_off()
        assert await inside(qos, "/copy") == expected("/copy")
        assert (await qos.cdmi("/copy"))["completionStatus"] == "Complete"


async def test_a_source_that_cannot_be_removed_is_tried_until_it_can(qos, monkeypatch):
    await qos.store("/f", b"old")
    real, refused = PosixBackend.delete, []

    async def refuse(self, path):
        refused.append(path)
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(PosixBackend, "delete", refuse)
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    assert (await qos.http.put("/g", content='{"move": "/f"}', headers=headers)).status_code == 201
    for _ in range(12):  # more often than anything else is tried
        qos.clock.advance(timedelta(minutes=2))
        await qos.work_off()
    assert len(refused) == 13
    assert (await qos.http.get("/f")).status_code == 404
    monkeypatch.setattr(PosixBackend, "delete", real)
    qos.clock.advance(timedelta(minutes=2))
    await qos.work_off()
    await qos.store("/f", b"new")
    for table in ("transfers", "jobs"):
        assert await qos.rows(f"SELECT * FROM {table}") == []


@pytest.mark.parametrize("kind", ["copy", "move"])
@pytest.mark.parametrize("wrong", [b"short", b"a longer one, but", b"as long"])
async def test_a_source_stays_when_something_else_arrives(qos, monkeypatch, kind, wrong):
    await qos.store("/box/f", b"0123456")
    real = PosixBackend.read

    def misread(self, path, start=0, stop=None):
        async def chunks():
            yield wrong

        return chunks() if path == "/box/f" else real(self, path, start, stop)

    monkeypatch.setattr(PosixBackend, "read", misread)
    assert (await ask(qos, kind, "/box/", "/new/")).status_code == 409
    monkeypatch.setattr(PosixBackend, "read", real)
    qos.clock.advance(timedelta(minutes=2))
    await qos.work_off()
    assert await inside(qos, "/box") == {"/box/f": b"0123456"}
    assert (await qos.cdmi("/new"))["completionStatus"].startswith("Error: /new/f came to")


async def test_what_has_grown_outside_of_the_gateway_is_not_lost_by_a_move(qos):
    await qos.store("/box/f", b"old")
    (qos.directory / "disk/box/f").write_bytes(b"old and new")
    assert (await ask(qos, "move", "/box/", "/new/")).status_code == 409
    assert await inside(qos, "/box") == {"/box/f": b"old and new"}


async def test_what_is_not_complete_is_not_complete_elsewhere(qos):
    headers = qos.auth() | {"x-cdmi-partial": "true"}
    assert (await qos.http.put("/box/f", content=b"one", headers=headers)).status_code == 201
    for kind, path in (("copy", "/copy/"), ("move", "/moved/")):
        assert (await ask(qos, kind, "/box/", path)).status_code == 201
        assert (await qos.cdmi(f"{path}f"))["completionStatus"] == "Processing"


class Dead(BaseException):
    """The process is gone."""


@pytest.mark.parametrize("count", [4, MANY])
@pytest.mark.parametrize(
    ("kind", "method", "calls"),
    [
        ("copy", "write", 0),
        ("copy", "write", 2),
        ("move", "write", 0),
        ("move", "write", 2),
        ("move", "delete", 0),
        ("move", "delete", 1),
    ],
)
async def test_whoever_dies_another_one_finishes_it(start_qos, monkeypatch, kind, count, method, calls):
    left, deaths = {"calls": None}, []
    real = getattr(PosixBackend, method)

    async def mortal(self, *args, **kwargs):
        if left["calls"] == 0:
            deaths.append(method)
            raise Dead
        done = await real(self, *args, **kwargs)
        if left["calls"] is not None:
            left["calls"] -= 1
            if left["calls"] == 0 and method == "delete":
                deaths.append(method)
                raise Dead  # done, and nobody was told
        return done

    monkeypatch.setattr(PosixBackend, method, mortal)
    async with start_qos() as qos:
        await fill(qos, count)
        identifier = (await qos.cdmi("/box"))["objectID"]
        left["calls"] = calls
        with contextlib.suppress(Dead):  # a worker dies quietly
            await ask(qos, kind, "/box/", "/new/")
            await qos.work_off()
        assert deaths
        left["calls"] = None
    async with start_qos(keep=True) as qos:
        if kind == "move" and method == "delete":
            assert (await qos.http.get("/box")).status_code == 404  # it is nobody's any more
        for _ in range(3):
            qos.clock.advance(timedelta(minutes=2))
            await qos.work_off()
        assert await inside(qos, "/new") == expected("/new", count)
        if kind == "move":
            assert (await qos.cdmi("/new"))["objectID"] == identifier
            assert (await qos.cdmi("/"))["children"] == ["new"]
        else:
            assert await inside(qos, "/box") == expected("/box", count)
        assert await qos.rows("SELECT * FROM transfers") == []
        assert await qos.rows("SELECT * FROM jobs") == []
