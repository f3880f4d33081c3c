"""Bytes of several requests for one path: what is known of them is of those that are there, or it is not known."""

import asyncio
import base64
import hashlib
import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from indigo_kernel.problems import Unavailable
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.application.arriving import LEASE

OLD = b"0123456789"


async def put(qos, path, content=b"", **headers):
    return await qos.http.put(path, content=content, headers=qos.auth() | headers)


async def put_span(qos, path, first, last, text):
    headers = qos.auth() | {"content-type": "application/cdmi-object"}
    body = json.dumps({"value": base64.b64encode(text.encode()).decode()})
    return await qos.http.put(f"{path}?value:{first}-{last}", content=body, headers=headers)


async def value(qos, path):
    return (await qos.http.get(path, headers=qos.auth() | {"accept": "application/octet-stream"})).content


async def etag(qos, path):
    answer = await qos.http.get(path, headers=qos.auth() | {"accept": "application/octet-stream"})
    return answer.headers.get("etag")


def tag_of(content):
    return f'"{hashlib.sha256(content).hexdigest()}"'


async def on_its_way(qos, path, until):
    """As a process that died left it."""
    async with qos.runtime.database.engine.begin() as conn:
        row = {"path": path, "token": "of another", "until": until}
        await conn.execute(sa.text("INSERT INTO arrivals VALUES (:path, :token, :until)"), row)


async def soon(event):
    async with asyncio.timeout(20):
        await event.wait()


class Held:
    """The first write of bytes waits after the storage has taken them, or before."""

    def __init__(self, monkeypatch, *, taken):
        self.reached, self.go_on = asyncio.Event(), asyncio.Event()
        real = PosixBackend.write

        async def wait():
            if not self.reached.is_set():
                self.reached.set()
                await self.go_on.wait()

        async def write(this, path, chunks, expected=None):
            async def coming():
                async for chunk in chunks:
                    yield chunk
                if not taken:
                    await wait()

            content = await real(this, path, coming(), expected)
            if taken:
                await wait()
            return content

        monkeypatch.setattr(PosixBackend, "write", write)


@pytest.mark.parametrize("taken", [True, False])
@pytest.mark.parametrize("there", [True, False])
async def test_of_two_who_store_at_once_one_does(qos, monkeypatch, there, taken):
    if there:
        await qos.store("/f", OLD)
    held = Held(monkeypatch, taken=taken)
    first = asyncio.create_task(put(qos, "/f", b"first"))
    await soon(held.reached)
    second = await put(qos, "/f", b"second")
    assert second.status_code == 409
    assert second.json()["detail"] == "/f is being changed; try again"
    held.go_on.set()
    assert (await first).status_code == (204 if there else 201)
    assert await value(qos, "/f") == b"first"
    assert await etag(qos, "/f") == tag_of(b"first")
    await qos.bring("/f", "DiskAndTape")
    assert (await qos.cdmi("/f"))["capabilitiesURI"].endswith("DiskAndTape")
    assert await qos.rows("SELECT * FROM arrivals") == []


async def test_who_makes_what_somebody_made_meanwhile_is_told(qos):
    first, go_on = await qos.slowly("/f")
    assert (await put(qos, "/f", b"second")).status_code == 201
    (made,) = await qos.rows("SELECT object_id FROM objects WHERE path = '/f'")
    go_on.set()
    assert (await first).status_code == 409
    assert await value(qos, "/f") == b"second"
    assert await qos.rows("SELECT object_id FROM objects WHERE path = '/f'") == [made]
    assert (await put(qos, "/f", b"third")).status_code == 204


async def test_no_part_that_was_acknowledged_is_lost(qos, monkeypatch):
    await qos.store("/f", OLD)
    held = Held(monkeypatch, taken=False)
    first = asyncio.create_task(put_span(qos, "/f", 0, 1, "ab"))
    await soon(held.reached)
    assert (await put_span(qos, "/f", 8, 9, "yz")).status_code == 409
    held.go_on.set()
    assert (await first).status_code == 204
    assert (await put_span(qos, "/f", 8, 9, "yz")).status_code == 204
    assert await value(qos, "/f") == b"ab234567yz"
    assert await etag(qos, "/f") == tag_of(b"ab234567yz")


async def test_what_a_process_that_died_left_is_in_doubt_until_it_is_stored_again(qos):
    await qos.store("/f", OLD)
    assert await etag(qos, "/f") == tag_of(OLD)
    await on_its_way(qos, "/f", qos.clock.now() + LEASE)
    (qos.directory / "disk" / "f").write_bytes(b"new bytes nobody was told of")
    assert await etag(qos, "/f") is None
    assert (await put(qos, "/f", b"again")).status_code == 409, "it may still be at work"
    await qos.bring("/f", "DiskAndTape")
    assert (await qos.cdmi("/f"))["capabilitiesURI"].endswith("DiskAndTape")
    qos.clock.advance(LEASE + timedelta(seconds=1))
    assert (await put(qos, "/f", b"again")).status_code == 204
    assert await etag(qos, "/f") == tag_of(b"again")


async def test_a_storage_that_fails_at_the_end_keeps_nobody_waiting(qos, monkeypatch):
    await qos.store("/f", OLD)
    real = PosixBackend.write

    async def fail(this, path, chunks, expected=None):
        await real(this, path, chunks, expected)
        raise Unavailable("the answer was lost")

    with monkeypatch.context() as patched:
        patched.setattr(PosixBackend, "write", fail)
        assert (await put(qos, "/f", b"new")).status_code == 503
    assert await etag(qos, "/f") is None, "it may be there or not"
    qos.clock.advance(timedelta(seconds=1))
    assert (await put(qos, "/f", b"newer")).status_code == 204
    assert await etag(qos, "/f") == tag_of(b"newer")


async def test_bytes_that_do_not_come_leave_what_was_known(qos):
    await qos.store("/f", OLD)
    assert (await put_span(qos, "/f", 0, 1, "too many")).status_code == 400
    assert await etag(qos, "/f") == tag_of(OLD)
    assert (await put_span(qos, "/f", 0, 1, "ab")).status_code == 204


async def test_a_long_way_into_the_storage_is_kept_for_one(qos, monkeypatch):
    monkeypatch.setattr("indigo_qos_gateway.application.arriving.LEASE", timedelta(seconds=0.06))
    held = Held(monkeypatch, taken=False)
    storing = asyncio.create_task(put(qos, "/f", b"new"))
    await soon(held.reached)
    (before,) = await qos.rows("SELECT until FROM arrivals")
    qos.clock.advance(timedelta(seconds=5))
    async with asyncio.timeout(20):
        while await qos.rows("SELECT until FROM arrivals") == [before]:
            await asyncio.sleep(0.01)
    held.go_on.set()
    assert (await storing).status_code == 201


async def test_what_is_removed_is_no_longer_on_its_way(qos):
    await qos.store("/box/f", OLD)
    await on_its_way(qos, "/box/f", qos.clock.now() + LEASE)
    assert (await qos.http.delete("/box/", headers=qos.auth())).status_code == 204
    assert await qos.rows("SELECT * FROM arrivals") == []
    assert (await put(qos, "/box/f", b"new")).status_code == 201
