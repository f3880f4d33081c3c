"""Sending files: names, checksums, limits, broken connections, memory, a full disk."""

import asyncio
import base64
import hashlib
import resource
import tracemalloc

import httpx
import pytest
from indigo_kernel.http.server import listen, serving


@pytest.fixture
def ada(suite):
    return suite.as_("ada")


def sealed(suite):
    return list((suite.settings.storage_dir / "staging" / "sealed").iterdir())


def incoming(suite):
    return list((suite.settings.storage_dir / "staging" / "incoming").iterdir())


async def announce(suite, ada, record_id, *keys):
    body = [{"key": key} for key in keys]
    return await suite.http.post(f"/api/records/{record_id}/draft/files", json=body, headers=ada)


@pytest.mark.parametrize(
    "name", ["../x", "/etc/passwd", "a/../../x", "a//b", "a/./b", "a\\b", "a\u0001b", " a", "x" * 256, "a/", "."]
)
async def test_unsafe_names_are_refused(suite, ada, name):
    record_id = await suite.draft(ada)
    answer = await announce(suite, ada, record_id, "fine.txt", name)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["pointer"] == "/1/key"
    assert (await suite.http.get(f"/api/records/{record_id}/draft/files", headers=ada)).json()["entries"] == []


@pytest.mark.parametrize(("first", "second"), [("a", "a/b"), ("a/b", "a"), ("Data.csv", "data.csv"), ("A/x", "a")])
async def test_names_that_clash_on_a_file_system_are_refused(suite, ada, first, second):
    record_id = await suite.draft(ada)
    assert (await announce(suite, ada, record_id, first)).status_code == 201
    answer = await announce(suite, ada, record_id, second)
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["code"] == "clash"


async def test_the_same_name_twice_and_too_many_names(suite, ada):
    record_id = await suite.draft(ada)
    assert (await announce(suite, ada, record_id, "a", "b")).status_code == 201
    assert (await announce(suite, ada, record_id, "a")).status_code == 409
    assert (await announce(suite, ada, record_id, "c", "d", "e", "f")).status_code == 409


async def test_a_decomposed_name_is_the_same_file_as_its_composed_form(suite, ada):
    record_id = await suite.draft(ada)
    await suite.upload(ada, record_id, "u\u0308.txt", b"x")
    answer = await suite.http.get(f"/api/records/{record_id}/draft/files/\u00fc.txt/content", headers=ada)
    assert answer.content == b"x"


def b64(algorithm, content):
    return base64.b64encode(hashlib.new(algorithm, content).digest()).decode()


@pytest.mark.parametrize(
    "headers",
    [
        lambda c: {"content-md5": b64("md5", c)},
        lambda c: {"repr-digest": f"sha-256=:{b64('sha256', c)}:, unknown=:AAAA:"},
        lambda c: {"content-digest": f"sha-512=:{b64('sha512', c)}:"},
        lambda c: {"digest": f"SHA-256={b64('sha256', c)}"},
        lambda c: {"x-parameter": f"sha256:{hashlib.sha256(c).hexdigest()}"},
    ],
)
async def test_announced_checksums_are_compared(suite, ada, headers):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "a.txt")
    url = f"/api/records/{record_id}/draft/files/a.txt/content"

    async def put(content, announced):
        sent = dict(announced)
        parameter = {"checksum": sent.pop("x-parameter")} if "x-parameter" in sent else {}
        return await suite.http.put(url, content=content, headers=ada | sent, params=parameter)

    wrong = await put(b"what arrived", headers(b"what was sent"))
    assert wrong.status_code == 422
    assert wrong.json()["type"].endswith("checksum-mismatch")
    assert sealed(suite) == []
    assert incoming(suite) == []
    right = await put(b"what was sent", headers(b"what was sent"))
    assert right.json()["sha256"] == hashlib.sha256(b"what was sent").hexdigest()


@pytest.mark.parametrize(
    "headers",
    [
        {"content-md5": "???"},
        {"repr-digest": "sha-256=abc"},
        {"digest": "sha-256=AAAA"},
        {"repr-digest": "nonsense"},
    ],
)
async def test_malformed_checksums_are_bad_requests(suite, ada, headers):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "a.txt")
    url = f"/api/records/{record_id}/draft/files/a.txt/content"
    assert (await suite.http.put(url, content=b"x", headers=ada | headers)).status_code == 400
    assert (await suite.http.put(url, content=b"x", headers=ada, params={"checksum": "crc:1"})).status_code == 400


async def test_content_can_be_sent_again_until_it_is_committed(suite, ada):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "a.txt")
    url = f"/api/records/{record_id}/draft/files/a.txt"
    assert (await suite.http.post(f"{url}/commit", headers=ada)).status_code == 409
    for content in (b"first", b"second"):
        assert (await suite.http.put(f"{url}/content", content=content, headers=ada)).status_code == 200
    assert len(sealed(suite)) == 1
    assert (await suite.http.post(f"{url}/commit", headers=ada)).json()["status"] == "completed"
    assert (await suite.http.put(f"{url}/content", content=b"third", headers=ada)).status_code == 409
    assert (await suite.http.get(f"{url}/content", headers=ada)).content == b"second"
    assert (await suite.http.delete(url, headers=ada)).status_code == 204
    assert sealed(suite) == []
    assert (await suite.http.put(f"{url}/content", content=b"x", headers=ada)).status_code == 404


async def test_too_much_is_refused_before_and_while_it_is_read(suite, ada):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "a.bin")
    url = f"/api/records/{record_id}/draft/files/a.bin/content"
    read = 0

    async def endless():
        nonlocal read
        while True:
            read += 1_000_000
            yield bytes(1_000_000)

    announced = await suite.http.put(url, content=endless(), headers=ada | {"content-length": "100000001"})
    assert announced.status_code == 413
    assert read <= 1_000_000
    streamed = await suite.http.put(url, content=endless(), headers=ada)
    assert streamed.status_code == 413
    assert incoming(suite) == []
    assert sealed(suite) == []


@pytest.fixture
async def served(suite):
    bound = listen("127.0.0.1", 0)
    async with serving(suite.runtime.api, bound):
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


async def test_fifty_megabytes_pass_through_little_memory(suite, ada, served):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "big.bin")
    block = bytes(range(256)) * 4096
    digest = hashlib.sha256(block * 50).hexdigest()

    async def blocks():
        for _ in range(50):
            yield block

    url = f"{served}/api/records/{record_id}/draft/files/big.bin"
    async with httpx.AsyncClient() as client:
        tracemalloc.start()
        try:
            answer = await client.put(f"{url}/content", content=blocks(), headers=ada, timeout=60)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert answer.json()["sha256"] == digest
        assert peak < 25_000_000  # both ends of the connection are in this process
        assert (await client.post(f"{url}/commit", headers=ada)).status_code == 200


async def test_a_connection_that_breaks_leaves_no_file(suite, ada, served):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "a.bin")
    host, port = served.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    head = (
        f"PUT /api/records/{record_id}/draft/files/a.bin/content HTTP/1.1\r\nhost: x\r\n"
        f"authorization: {ada['authorization']}\r\ncontent-length: 6000000\r\n\r\n"
    )
    writer.write(head.encode() + bytes(5_000_000))
    await writer.drain()
    async with asyncio.timeout(10):
        while not incoming(suite):
            await asyncio.sleep(0.01)  # until the server is in the middle of it
        writer.transport.abort()
        while incoming(suite):
            await asyncio.sleep(0.01)
    assert sealed(suite) == []
    url = f"/api/records/{record_id}/draft/files/a.bin"
    assert (await suite.http.get(url, headers=ada)).json()["status"] == "pending"
    assert (await suite.http.post(f"{url}/commit", headers=ada)).status_code == 409
    await suite.http.put(f"{url}/content", content=b"whole", headers=ada)
    assert (await suite.http.post(f"{url}/commit", headers=ada)).status_code == 200


async def test_a_full_disk_is_told_and_leaves_nothing(suite, ada):
    record_id = await suite.draft(ada)
    await announce(suite, ada, record_id, "a.bin")
    url = f"/api/records/{record_id}/draft/files/a.bin/content"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    try:
        answer = await suite.http.put(url, content=bytes(5_000_000), headers=ada)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert answer.status_code == 503
    assert answer.json()["reason"] == "storage-full"
    assert incoming(suite) == []
    assert sealed(suite) == []
    assert (await suite.http.put(url, content=bytes(5_000_000), headers=ada)).status_code == 200
