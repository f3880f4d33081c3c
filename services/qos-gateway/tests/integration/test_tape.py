"""The WLCG Tape REST API over HTTP, as its specification words it."""

from datetime import timedelta

import pytest

DATA = b"x" * 5000


async def on_tape(qos, *paths):
    for path in paths:
        await qos.store(path, DATA)
        await qos.bring(path, "TapeOnly")


async def stage(qos, *paths, **file):
    answer = await qos.http.post(
        "/api/v1/stage",
        json={"files": [{"path": path, **file} for path in paths]},
        headers=qos.auth("storage.stage:/"),
    )
    assert answer.status_code == 201, answer.text
    return answer.json()["requestId"]


async def poll(qos, request):
    answer = await qos.http.get(f"/api/v1/stage/{request}", headers=qos.auth("storage.poll:/"))
    assert answer.status_code == 200, answer.text
    return answer.json()


async def locality(qos, *paths):
    answer = await qos.http.post("/api/v1/archiveinfo", json={"paths": paths}, headers=qos.auth("storage.poll:/"))
    return [each.get("locality") or each["error"] for each in answer.json()]


async def release(qos, request, *paths):
    return await qos.http.post(
        f"/api/v1/release/{request}", json={"paths": paths}, headers=qos.auth("storage.stage:/")
    )


async def test_discovery(qos):
    found = (await qos.http.get("/.well-known/wlcg-tape-rest-api")).json()
    assert found["sitename"] == "gateway.example.org"
    assert found["endpoints"] == [{"uri": "http://gateway.example.org/api/v1", "version": "v1", "metadata": {}}]


async def test_a_file_comes_to_disk_and_goes_back(qos):
    await on_tape(qos, "/data/f")
    await qos.store("/data/disk", DATA)
    assert await locality(qos, "/data/f", "/data/disk", "/none", "/data") == [
        "TAPE",
        "DISK",
        "No such file or directory",
        "Is a directory",
    ]
    request = await stage(qos, "/data/f", "/data/disk", "/none", "/data", "/data/f")
    first = await poll(qos, request)
    assert (first["id"], first["createdAt"]) == (request, 1767225600000)
    assert [each["state"] for each in first["files"]] == ["SUBMITTED"] * 4
    assert set(first["files"][0]) == {"path", "state"}
    await qos.work_off()
    done = await poll(qos, request)
    assert [each["state"] for each in done["files"]] == ["COMPLETED", "COMPLETED", "FAILED", "FAILED"]
    assert "Object not found" in done["files"][2]["error"]
    assert done["completedAt"] >= done["startedAt"]
    assert await locality(qos, "/data/f") == ["DISK_AND_TAPE"]
    assert (await release(qos, request, "/data/f", "/data/disk")).status_code == 200
    await qos.work_off()
    assert await locality(qos, "/data/f", "/data/disk") == ["TAPE", "DISK"]
    assert (await release(qos, request, "/data/f")).status_code == 200  # once more changes nothing
    await qos.work_off()
    assert await qos.rows("SELECT * FROM jobs WHERE kind <> 'pins'") == []


async def test_the_last_one_who_needs_it_lets_it_go(qos):
    await on_tape(qos, "/f")
    first, second = await stage(qos, "/f"), await stage(qos, "/f")
    await qos.work_off()
    await qos.work_off()
    third = await stage(qos, "/f")
    qos.clock.advance(timedelta(seconds=10))
    await qos.work_off()
    for request in (first, second, third):
        assert (await poll(qos, request))["files"][0]["state"] == "COMPLETED"
        assert await locality(qos, "/f") == ["DISK_AND_TAPE"]
        await release(qos, request, "/f")
        await qos.work_off()
    assert await locality(qos, "/f") == ["TAPE"]


async def test_time_on_disk_ends_by_itself(qos):
    await on_tape(qos, "/short", "/long")
    short = await stage(qos, "/short", diskLifetime="PT1H")
    await stage(qos, "/long")
    await qos.work_off()
    qos.clock.advance(timedelta(minutes=59))
    await qos.work_off()
    assert await locality(qos, "/short", "/long") == ["DISK_AND_TAPE"] * 2
    qos.clock.advance(timedelta(minutes=2))
    await qos.work_off()
    assert await locality(qos, "/short", "/long") == ["TAPE", "DISK_AND_TAPE"]
    assert (await poll(qos, short))["files"][0]["state"] == "COMPLETED"
    qos.clock.advance(timedelta(days=1))
    await qos.work_off()
    assert await locality(qos, "/long") == ["TAPE"]
    assert await qos.rows("SELECT * FROM jobs") == []


async def test_what_got_another_class_meanwhile_stays_there(qos):
    await on_tape(qos, "/f")
    request = await stage(qos, "/f")
    await qos.work_off()
    await qos.bring("/f", "DiskOnly")
    await release(qos, request, "/f")
    await qos.work_off()
    assert await locality(qos, "/f") == ["DISK"]


@pytest.mark.parametrize("how", ["delete", "move"])
async def test_what_is_stored_where_a_staged_file_was_stays_where_it_is(qos, how):
    await on_tape(qos, "/f")
    await stage(qos, "/f", diskLifetime="PT1H")
    await qos.work_off()
    if how == "delete":
        assert (await qos.http.delete("/f", headers=qos.auth())).status_code == 204
    else:
        headers = qos.auth() | {"content-type": "application/cdmi-object"}
        assert (await qos.http.put("/g", content='{"move": "/f"}', headers=headers)).status_code == 201
    await qos.store("/f", b"another one")
    await qos.bring("/f", "DiskAndTape")
    qos.clock.advance(timedelta(hours=2))
    await qos.work_off()
    assert await locality(qos, "/f") == ["DISK_AND_TAPE"]


async def in_turn(qos, times=5):
    for _ in range(times):
        qos.clock.advance(timedelta(seconds=10))
        await qos.work_off()


async def test_a_file_that_is_asked_for_again_before_it_goes_back_stays(qos):
    await on_tape(qos, "/f")
    first = await stage(qos, "/f")
    await qos.work_off()
    await release(qos, first, "/f")
    second = await stage(qos, "/f")
    await in_turn(qos)
    assert (await poll(qos, second))["files"][0]["state"] == "COMPLETED"
    assert await locality(qos, "/f") == ["DISK_AND_TAPE"]
    await release(qos, second, "/f")
    await in_turn(qos)
    assert await locality(qos, "/f") == ["TAPE"], "it is still on loan"


async def test_a_file_that_is_on_its_way_back_is_not_said_to_be_on_disk(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        await on_tape(qos, "/f")
        await in_turn(qos)
        first = await stage(qos, "/f")
        await in_turn(qos)
        async with qos.drives_taken():
            await release(qos, first, "/f")
            await qos.work_off()
            second = await stage(qos, "/f")
            await in_turn(qos)
            assert (await poll(qos, second))["files"][0]["state"] == "SUBMITTED"
        await in_turn(qos)
        assert (await poll(qos, second))["files"][0]["state"] == "COMPLETED"
        assert await locality(qos, "/f") == ["DISK_AND_TAPE"]
        await release(qos, second, "/f")
        await in_turn(qos)
        assert await locality(qos, "/f") == ["TAPE"]


async def cancel(qos, request, *paths):
    return await qos.http.post(
        f"/api/v1/stage/{request}/cancel/", json={"paths": paths}, headers=qos.auth("storage.stage:/")
    )


async def states(qos, *requests):
    return [(await poll(qos, each))["files"][0]["state"] for each in requests]


async def two_requests(qos, *, pause):
    """Two stage requests of which the second one, ``pause`` seconds later, waits for the first one's transition."""
    first = await stage(qos, "/f")
    await qos.work_off()
    qos.clock.advance(timedelta(seconds=pause))
    second = await stage(qos, "/f")
    await qos.work_off()
    assert await states(qos, first, second) == ["STARTED", "STARTED"]
    return first, second


async def test_who_needs_a_file_gets_it_when_others_cancel(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        await on_tape(qos, "/f")
        await in_turn(qos)
        async with qos.drives_taken():
            first, second = await two_requests(qos, pause=0)
            assert (await cancel(qos, first, "/f")).status_code == 200
        await in_turn(qos)
        assert await states(qos, first, second) == ["CANCELLED", "COMPLETED"]
        assert await locality(qos, "/f") == ["DISK_AND_TAPE"]
        await release(qos, second, "/f")
        await in_turn(qos)
        assert await locality(qos, "/f") == ["TAPE"]


async def test_a_file_that_came_to_disk_for_others_is_not_held_by_who_cancelled(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        await on_tape(qos, "/f")
        await in_turn(qos)
        async with qos.drives_taken():
            first, second = await two_requests(qos, pause=9)

        async def brought():
            qos.clock.advance(timedelta(seconds=1))
            await qos.work_off()
            return await states(qos, first, second) == ["COMPLETED", "STARTED"]

        while not await brought():
            assert await states(qos, first, second) == ["STARTED", "STARTED"]
        assert (await cancel(qos, second, "/f")).status_code == 200
        await in_turn(qos)
        assert await states(qos, first, second) == ["COMPLETED", "CANCELLED"]
        await release(qos, first, "/f")
        await in_turn(qos)
        assert await locality(qos, "/f") == ["TAPE"]


async def test_a_file_goes_back_when_the_last_request_is_cancelled_before_it_began(qos):
    await on_tape(qos, "/f")
    first = await stage(qos, "/f")
    await qos.work_off()
    second = await stage(qos, "/f")
    await release(qos, first, "/f")
    assert (await cancel(qos, second, "/f")).status_code == 200
    await in_turn(qos)
    assert await locality(qos, "/f") == ["TAPE"]


async def test_cancelling_and_deleting(start_qos):
    async with start_qos(transition_patience="PT0S") as qos:
        await on_tape(qos, "/a", "/b")
        for _ in range(5):
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert await locality(qos, "/a", "/b") == ["TAPE", "TAPE"]
        async with qos.drives_taken():
            request = await stage(qos, "/a", "/b")
            await qos.work_off()
            assert [each["state"] for each in (await poll(qos, request))["files"]] == ["STARTED", "STARTED"]
            wrong = await cancel(qos, request, "/a", "/other")
            assert wrong.status_code == 400
            assert wrong.headers["content-type"] == "application/problem+json"
            assert wrong.json()["paths"] == ["/other"]
            assert (await cancel(qos, request, "/a")).status_code == 200
        for _ in range(3):
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert [each["state"] for each in (await poll(qos, request))["files"]] == ["CANCELLED", "COMPLETED"]
        assert await locality(qos, "/a", "/b") == ["TAPE", "DISK_AND_TAPE"]
        auth = qos.auth("storage.stage:/")
        assert (await qos.http.delete(f"/api/v1/stage/{request}", headers=auth)).status_code == 204
        assert (await qos.http.get(f"/api/v1/stage/{request}", headers=auth)).status_code == 404
        assert (await qos.http.delete(f"/api/v1/stage/{request}/", headers=auth)).status_code == 404
        for _ in range(5):
            qos.clock.advance(timedelta(seconds=10))
            await qos.work_off()
        assert await locality(qos, "/b") == ["TAPE"]


async def test_slashes_do_not_matter(qos):
    await on_tape(qos, "/f")
    auth = qos.auth("storage.stage:/")
    body = {"files": [{"path": "/f"}]}
    request = (await qos.http.post("/api/v1/stage/", json=body, headers=auth)).json()["requestId"]
    for url in (f"/api/v1/stage/{request}", f"/api/v1/stage/{request}/"):
        assert (await qos.http.get(url, headers=auth)).status_code == 200
    for url in (f"/api/v1/release/{request}", f"/api/v1/release/{request}/", "/api/v1/archiveinfo/"):
        assert (await qos.http.post(url, json={"paths": ["/f"]}, headers=auth)).status_code == 200


@pytest.mark.parametrize(
    ("url", "body", "status", "pointer"),
    [
        ("stage", {"files": []}, 400, "/files"),
        ("stage", {}, 400, "/files"),
        ("stage", {"files": [{"path": "/f", "more": 1}]}, 400, "/files/0/more"),
        ("stage", {"files": [{"path": "/f"}, {"path": "/../f"}]}, 400, "/files/1/path"),
        ("stage", {"files": [{"path": "/f", "diskLifetime": "soon"}]}, 400, "/files/0/diskLifetime"),
        ("stage", {"files": [{"path": "/f", "diskLifetime": "-PT1H"}]}, 400, "/files/0/diskLifetime"),
        ("stage", {"files": [{"path": f"/{n}"} for n in range(4)]}, 413, None),
        ("archiveinfo", {"paths": ["f"]}, 400, "/paths/0"),
        ("archiveinfo", {"paths": [f"/{n}" for n in range(4)]}, 413, None),
        ("release/none", {"paths": ["/f"]}, 404, None),
        ("stage/none/cancel", {"paths": ["/f"]}, 404, None),
    ],
)
async def test_wrong_requests(start_qos, url, body, status, pointer):
    async with start_qos(batch_targets=3) as qos:
        answer = await qos.http.post(f"/api/v1/{url}", json=body, headers=qos.auth("storage.stage:/"))
        assert answer.status_code == status, answer.text
        problem = answer.json()
        assert {"type", "title", "status", "detail"} <= set(problem)
        if pointer:
            assert problem["errors"][0]["pointer"] == pointer
        broken = await qos.http.post(
            f"/api/v1/{url}",
            content=b"{",
            headers=qos.auth("storage.stage:/") | {"content-type": "application/json"},
        )
        assert broken.status_code == 400


async def test_who_may_stage(start_qos):
    async with start_qos(batch_active=1) as qos:
        body = {"files": [{"path": "/a/f"}]}
        assert (await qos.http.post("/api/v1/stage", json=body)).status_code == 401
        for scope, status in (("storage.read:/", 403), ("storage.stage:/b", 403), ("storage.stage:/a", 201)):
            answer = await qos.http.post("/api/v1/stage", json=body, headers=qos.auth(scope))
            assert answer.status_code == status
        request = answer.json()["requestId"]
        url = f"/api/v1/stage/{request}"
        assert (await qos.http.get(url)).status_code == 401
        assert (await qos.http.get(url, headers=qos.auth("storage.poll:/b"))).status_code == 403
        assert (await qos.http.get(url, headers=qos.auth("storage.poll:/a"))).status_code == 200
        assert (await qos.http.delete(url, headers=qos.auth("storage.poll:/a"))).status_code == 403
        more = await qos.http.post("/api/v1/stage", json=body, headers=qos.auth("storage.stage:/a"))
        assert more.status_code == 429
