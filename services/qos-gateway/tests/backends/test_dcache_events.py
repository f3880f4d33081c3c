"""dCache's storage events: a change is told, and whatever is wrong with them, it is looked at."""

import asyncio
from itertools import pairwise

import httpx
import pytest
import pytest_asyncio
from indigo_kernel.http.server import listen, serving
from indigo_qos_gateway.adapters.hsm import dcache_events
from indigo_qos_gateway.adapters.hsm.dcache_events import DCacheEvents
from indigo_qos_gateway.adapters.hsm.options import DCacheOptions
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.domain.storage import StepState
from indigo_testing.backend_contract import DATA, bring, chunked
from indigo_testing.fakes.dcache import DCache
from indigo_testing.fakes.library import Library
from starlette.responses import Response
from structlog.testing import capture_logs


@pytest_asyncio.fixture
async def listening(tmp_path):
    """A dCache on a port, and a back-end that looks every ten minutes unless it is told of something."""
    (tmp_path / "token").write_text("secret")
    (tmp_path / "files/vo").mkdir(parents=True)
    fake = DCache(Library(tmp_path / "files", moves=False))
    bound = listen("127.0.0.1", 0)
    async with serving(fake, bound):
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
        options = DCacheOptions(
            type="dcache",
            prefix="/",
            name="dcache",
            door_url=url,
            api_url=url + "/api/v1",
            base="/vo",
            token_file=tmp_path / "token",
            look_seconds=600,
        )
        backend = options.backend()
        yield fake, backend
        await backend.close()
        assert fake.channels.channels == {}


async def heard(condition):
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


async def test_dcache_tells_when_a_change_is_done(listening):
    fake, backend = listening
    await backend.write("/box/file", chunked(DATA))
    fake.held = True
    handle = await backend.start("/box/file", "DiskAndTape")
    waiting = asyncio.create_task(backend.poll("/box/file", handle, 300))
    await heard(lambda: fake.channels.listeners == 1)
    (channel,) = fake.channels.channels.values()
    await heard(channel.events.empty)
    assert list(channel.subscriptions.values()) == ["/vo/box"]
    fake.let_go()
    async with asyncio.timeout(10):
        assert (await waiting).state is StepState.DONE


async def test_a_dcache_without_events_is_looked_at(listening):
    fake, backend = listening
    backend._again = 0.01
    fake.channels.answer = refuse
    await backend.write("/file", chunked(DATA))
    assert (await bring(backend, "/file", "DiskAndTape")).state is StepState.DONE


async def refuse(rest, request):
    return Response(status_code=403)


@pytest.mark.parametrize(
    "data", ["", "{", "[]", '{"event": 1, "subscription": 2}', '{"event": {"mask": 3}}', "[" * 100_000, "null"]
)
async def test_events_nobody_can_read_are_passed_over(listening, data):
    fake, backend = listening
    await backend.write("/file", chunked(DATA))
    fake.held = True
    handle = await backend.start("/file", "DiskAndTape")
    waiting = asyncio.create_task(backend.poll("/file", handle, 300))
    await heard(lambda: fake.channels.listeners == 1)
    (channel,) = fake.channels.channels.values()
    channel.events.put_nowait(f"event: inotify\ndata: {data}\n\n")
    await heard(channel.events.empty)
    fake.let_go()
    async with asyncio.timeout(10):
        assert (await waiting).state is StepState.DONE


class Torn(httpx.AsyncByteStream):
    """One event, and then the connection breaks."""

    async def __aiter__(self):
        yield b"id: 7\nevent: inotify\ndata: {}\n\n"
        raise httpx.ReadError("")


@pytest.mark.parametrize(
    "event",
    [
        'id: 1\nevent: inotify\ndata: {"event": {"mask": 3}, "subscription": "x"}',
        'id: 1\nevent: inotify\ndata: {"event": {"mask": null}, "subscription": "x"}',
        "id: é漢",
        "id: " + "9" * 100_000,
    ],
)
async def test_an_event_nobody_can_read_does_not_end_the_connection(monkeypatch, event):
    monkeypatch.setattr(dcache_events, "RECONNECT_SECONDS", 0.01)
    asked = asyncio.Queue()

    async def answer(request):
        if request.method != "GET":
            return httpx.Response(201, headers={"location": f"{request.url}/1"})
        asked.put_nowait(request.headers.get("last-event-id", ""))
        return httpx.Response(200, text=event + "\n\n")

    remote = Remote("dcache", transport=httpx.MockTransport(answer))
    events = DCacheEvents(remote, "http://storage.example.org/api/v1", "/vo")
    await events.wait("/file", 10)
    async with asyncio.timeout(5):
        seen = [await asked.get() for _ in range(3)]
    await events.close()
    assert max(map(len, seen)) < 1000


async def test_a_connection_for_events_goes_on_behind_the_last_one_and_is_not_made_in_haste(monkeypatch):
    monkeypatch.setattr(dcache_events, "RECONNECT_SECONDS", 0.05)
    asked, times = asyncio.Queue(), []

    async def answer(request):
        if request.method != "GET":
            return httpx.Response(201, headers={"location": f"{request.url}/1"})
        asked.put_nowait(request.headers.get("last-event-id"))
        times.append(asyncio.get_running_loop().time())
        match len(times):
            case 1:
                return httpx.Response(200, stream=Torn())
            case 2:
                return httpx.Response(200)
        return httpx.Response(401)

    remote = Remote("dcache", transport=httpx.MockTransport(answer))
    events = DCacheEvents(remote, "http://storage.example.org/api/v1", "/vo")
    with capture_logs() as logs:
        await events.wait("/file", 10)
        async with asyncio.timeout(10):
            seen = [await asked.get() for _ in range(5)]
        await events.close()
    assert seen == [None, "7", "7", "7", "7"]
    assert min(later - earlier for earlier, later in pairwise(times)) > 0.04
    assert [each["error"] for each in logs] == ["dcache does not accept the gateway's credentials"]
