"""Back-ends that hang, talk too much, lie, or lead elsewhere: a clear error, and others go on."""

import asyncio
import gzip
import itertools
import json
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from indigo_kernel.problems import Unavailable
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.commands import Commands
from indigo_qos_gateway.adapters.hpss.hsi import Hsi
from indigo_qos_gateway.adapters.hsm.files import RemoteFiles
from indigo_qos_gateway.adapters.http.credentials import HeaderAuth
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.http.webdav import WebDav
from indigo_qos_gateway.adapters.mounted.backend import MountedBackend
from indigo_qos_gateway.adapters.mounted.gpfs import GpfsManager, Pool
from indigo_qos_gateway.adapters.onedata.api import OneData
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.adapters.s3.api import S3, Bucket
from indigo_qos_gateway.adapters.s3.backend import NativeClass, S3Backend
from indigo_qos_gateway.adapters.threads import Threads
from indigo_testing.backend_contract import all_of, chunked

DOOR = "https://door.example.org"


@pytest.fixture
def program(tmp_path):
    """Writes a program: ``program(text)`` gives commands that can run it by the name ``tool``."""

    def written(text, **options):
        (tmp_path / "tool").write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / "tool").chmod(0o755)
        return Commands("hsm", tmp_path, **options)

    return written


@pytest.fixture
def token(tmp_path):
    path = tmp_path / "token"
    path.write_text("very-secret\n")
    return path


class Server:
    """Answers with functions of the request, by host; it keeps what was asked."""

    def __init__(self, **answers):
        self.answers = answers
        self.asked = []

    def transport(self):
        async def answer(request):
            self.asked.append(request)
            host = request.url.host.partition(".")[0]
            if host not in self.answers:
                raise httpx.ConnectError("no such host")
            return self.answers[host](request)

        return httpx.MockTransport(answer)


@pytest.mark.parametrize("stream", ["1", "2"])
async def test_output_without_an_end_is_cut_and_its_program_ended(program, stream, tmp_path):
    commands = program(
        f"echo $$ > {tmp_path}/pid; while :; do echo xxxxxxxxxxxxxxxxxx >&{stream}; done", most_bytes=100_000
    )
    with pytest.raises(Unavailable, match="wrote more than 100000 bytes"):
        await commands.ask("tool")
    assert not await alive(int((tmp_path / "pid").read_text()))


async def test_what_a_program_left_behind_is_ended_with_its_caller(program, tmp_path):
    commands = program(f"sleep 600 & echo $! > {tmp_path}/pid", seconds=0.5)
    with pytest.raises(Unavailable, match="in time"):
        await commands.ask("tool")
    assert not await alive(int((tmp_path / "pid").read_text()))


async def alive(pid):
    async with asyncio.timeout(10):
        while (found := _state(pid)) not in {None, "Z"}:
            await asyncio.sleep(0.01)
    return found not in {None, "Z"}


def _state(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return None


@pytest.mark.parametrize(
    "text",
    [
        "head -c 100000 /dev/urandom",
        "printf 'half a li'",
        "printf '\\0\\0\\0'",
        "printf '\\377\\376'; exit 3",
        "exit 0",
    ],
)
async def test_any_bytes_are_output_and_messages_are_one_printable_line(program, text):
    output = await program(text).ask("tool")
    assert "\n" not in output.last_words
    assert output.last_words.isprintable()
    assert 0 < len(output.last_words) <= 300


async def test_arguments_are_no_shell_text(program):
    hostile = ["-rf", "; touch x", "$(touch x)", "a\nb", "`id`", "%n", "é", "'\""]
    output = await program("printf '%s\\0' \"$@\"").ask("tool", *hostile)
    assert output.stdout.split("\0")[:-1] == hostile


async def test_a_name_with_a_nul_is_refused_before_anything_runs(program):
    with pytest.raises(Unavailable, match="cannot be run"):
        await program("exit 0").ask("tool", "a\0b")


async def test_messages_are_english_whatever_the_gateway_speaks(program, monkeypatch):
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    monkeypatch.setenv("TSM_PASSWORD", "secret")
    output = await program("echo $LC_ALL; echo [$TSM_PASSWORD]").ask("tool")
    assert output.stdout.split() == ["C", "[]"]


async def test_after_silence_one_caller_at_a_time_tries_again(program, tmp_path):
    commands = program(f"echo x >> {tmp_path}/runs; test -e {tmp_path}/well || sleep 600", seconds=0.5)
    with pytest.raises(Unavailable, match="in time"):
        await commands.ask("tool")
    told = await asyncio.gather(*(commands.ask("tool") for _ in range(20)), return_exceptions=True)
    assert sorted({str(each) for each in told}) == [
        "hsm does not answer; it is being tried again",
        "hsm: tool did not end in time",
    ]
    assert (tmp_path / "runs").read_text().count("x") == 2
    (tmp_path / "well").touch()
    await commands.ask("tool")
    await asyncio.gather(*(commands.ask("tool") for _ in range(5)))


async def test_a_file_system_that_hangs_takes_its_own_threads_alone(make_programs, tmp_path):
    """Of the threads everybody shares there is one here: it is still free."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(1))
    programs = make_programs("gpfs.py", ("mmlsattr", "mmchattr", "mmlspool", "mmapplypolicy"))
    manager = GpfsManager(programs.commands, "fs1", {"Fast": Pool("system", {})}, "Fast", Place())
    hung = MountedBackend("gpfs", "GPFS", None, programs.files, manager)
    await hung.write("/file", chunked(b"x"))
    hung._threads = hung._files._threads = Threads("gpfs", most=2, seconds=0.3)
    released = threading.Event()
    hung._stat = lambda path: released.wait(60)
    well = PosixBackend("posix", tmp_path / "disk", tmp_path / "tape", Place())
    try:
        told = await asyncio.gather(*(hung.status("/file") for _ in range(30)), return_exceptions=True)
        assert {type(each) for each in told} == {Unavailable}
        with pytest.raises(Unavailable):
            await hung.status("/file")
        await well.write("/file", chunked(b"fine"))
        assert await all_of(well, "/file") == b"fine"
    finally:
        released.set()
        await well.close()
        await hung.close()


async def test_a_program_that_succeeded_and_then_failed_is_a_failure(make_programs):
    programs = make_programs("hpss.py", ("hsi",))
    files = RemoteFiles(Hsi(programs.commands, "/base"))
    real = (programs.directory / "hsi").read_text()
    (programs.directory / "hsi").write_text(real.replace("exec ", "") + "\nexit 75\n")
    with pytest.raises(Unavailable, match="exit code 75"):
        await files.write("/file", chunked(b"x"), None)


def remote(server, token, **options):
    return Remote("dcache", auth=HeaderAuth(token), transport=server.transport(), **options)


async def test_a_door_may_lead_to_a_pool_but_the_credentials_stay(token):
    server = Server(
        door=lambda _: httpx.Response(307, headers={"location": "http://pool7.example.org:20000/f?uuid=1"}),
        pool7=lambda _: httpx.Response(200, content=b"the bytes"),
    )
    async with remote(server, token).stream("GET", DOOR + "/f") as response:
        assert await response.aread() == b"the bytes"
    first, second = server.asked
    assert first.headers["authorization"] == "Bearer very-secret"
    assert "very-secret" not in str(second.headers)
    assert str(second.url) == "http://pool7.example.org:20000/f?uuid=1"


BYTES = b"0123456789"


@pytest.mark.parametrize(("start", "stop"), [(0, None), (5, 8), (5, None), (0, 3), (9, 99), (10, None), (12, 14)])
async def test_a_door_that_ignores_ranges_gives_the_same_bytes(token, start, stop):
    server = Server(door=lambda _: httpx.Response(200, content=chunked(BYTES, 4)))
    door = WebDav(remote(server, token), DOOR)
    assert b"".join([chunk async for chunk in door.read("/f", start, stop)]) == BYTES[start:stop]


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (206, "bytes 0-2/10"),  # another part
        (206, "bytes 5-6/10"),  # less
        (206, None),
        (206, "bytes 5-"),
        (206, "bytes 5-7/" + "9" * 5000),
        (204, None),
        (202, None),
    ],
)
async def test_another_part_of_a_file_is_not_taken_for_the_one_that_was_wanted(token, status, told):
    headers = {"content-range": told} if told else {}
    server = Server(door=lambda _: httpx.Response(status, headers=headers, content=BYTES[5:8]))
    door = WebDav(remote(server, token), DOOR)
    with pytest.raises(Unavailable, match="something else"):
        [chunk async for chunk in door.read("/f", 5, 8)]


async def test_a_file_that_was_stored_compressed_is_read_as_it_was_stored(token):
    stored = gzip.compress(b"x" * 1000)
    server = Server(
        door=lambda _: httpx.Response(200, headers={"content-encoding": "gzip"}, content=chunked(stored))
    )
    door = WebDav(remote(server, token), DOOR)
    assert b"".join([chunk async for chunk in door.read("/f", 0, None)]) == stored


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["PUT", "POST", "PROPFIND", "DELETE", "MOVE"])
async def test_nothing_else_follows_a_redirect(token, status, method):
    server = Server(door=lambda _: httpx.Response(status, headers={"location": "https://evil.example.org/"}))
    with pytest.raises(Unavailable, match=str(status)):
        await remote(server, token).send(method, DOOR + "/f", content=b"x")
    assert len(server.asked) == 1


async def test_redirects_in_a_circle_end(token):
    server = Server(door=lambda _: httpx.Response(302, headers={"location": DOOR + "/again"}))
    with pytest.raises(Unavailable, match="redirects more than"):
        async with remote(server, token).stream("GET", DOOR + "/f"):
            pass


@pytest.mark.parametrize("target", ["file:///etc/passwd", "gopher://x/", "//", "https://[", ""])
async def test_a_redirect_to_no_address_is_an_error(token, target):
    server = Server(door=lambda _: httpx.Response(302, headers={"location": target}))
    with pytest.raises(Unavailable):
        async with remote(server, token).stream("GET", DOOR + "/f"):
            pass


async def test_a_document_that_is_too_large_is_not_read(token):
    async def endless():
        while True:
            yield b" " * 65536

    server = Server(door=lambda _: httpx.Response(200, content=endless()))
    with pytest.raises(Unavailable, match="more than 1000000 bytes"):
        await remote(server, token, most_bytes=1_000_000).send("GET", DOOR + "/f")


async def test_an_answer_in_drops_does_not_hold_anybody(token):
    async def drops():
        while True:
            await asyncio.sleep(0.01)
            yield b" "

    server = Server(door=lambda _: httpx.Response(200, content=drops()))
    with pytest.raises(Unavailable, match="in time"):
        await remote(server, token, seconds=0.02).send("GET", DOOR + "/f")


async def test_nobody_waits_for_an_upload_to_hear_that_a_storage_is_well_again(token):
    hanging, uploading, received = True, asyncio.Event(), asyncio.Event()

    async def answer(request):
        if request.method == "PUT":
            uploading.set()
            await received.wait()
        elif hanging:
            raise httpx.ReadTimeout("")
        return httpx.Response(200)

    async def content():
        yield b"x"

    there = Remote("dcache", auth=HeaderAuth(token), transport=httpx.MockTransport(answer))
    with pytest.raises(Unavailable, match="in time"):
        await there.send("GET", DOOR + "/f")
    hanging = False
    upload = asyncio.create_task(there.send("PUT", DOOR + "/large", content=content()))
    await uploading.wait()
    assert (await there.send("GET", DOOR + "/f")).is_success
    received.set()
    await upload


async def test_an_answer_in_few_bytes_that_become_many_is_not_unpacked(token):
    bomb = gzip.compress(gzip.compress(bytes(100 << 20)))
    headers = {"content-encoding": "gzip, gzip"}
    server = Server(door=lambda _: httpx.Response(200, headers=headers, content=chunked(bomb)))
    there = remote(server, token)
    tracemalloc.start()
    try:
        with pytest.raises(Unavailable, match="something unexpected"):
            there.document(await there.send("GET", DOOR + "/f"))
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 10 << 20
    assert server.asked[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"a":' * 100_000, b"\xff", b"", b"NaN", b"[]", b'{"a":' + b"1" * 5000 + b"}"]
)
async def test_no_document_breaks_the_reader(token, body):
    server = Server(door=lambda _: httpx.Response(200, content=body))
    there = remote(server, token)
    with pytest.raises(Unavailable, match="something unexpected"):
        there.document(await there.send("GET", DOOR + "/f"))


@pytest.mark.parametrize(
    "body",
    [
        b'<!DOCTYPE x [<!ENTITY a "' + b"x" * 1000 + b'"><!ENTITY b "&a;&a;">]><d:multistatus xmlns:d="DAV:">&b;',
        b'<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><x xmlns="DAV:"><response><href>&a;</href></response></x>',
        b"<a>" * 100_000,
        b"\x00\x01",
    ],
)
async def test_no_xml_breaks_the_reader(token, body):
    server = Server(door=lambda _: httpx.Response(207, content=body))
    with pytest.raises(Unavailable, match="something unexpected"):
        await WebDav(remote(server, token), DOOR).stat("/f")


async def test_a_listing_names_nothing_that_is_elsewhere(token):
    def entry(href):
        return (
            f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:resourcetype/><d:getcontentlength>1"
            "</d:getcontentlength><d:getlastmodified>Sun, 22 Nov 2026 12:00:00 GMT</d:getlastmodified></d:prop>"
            "</d:propstat></d:response>"
        )

    hrefs = ["/box/", "/box/a", "/box/..", "/box/.", "/other/b", "/box/deep/c", "/box/x%2F..%2Fy", "/", ""]
    own = entry("/box/").replace("<d:resourcetype/>", "<d:resourcetype><d:collection/></d:resourcetype>")

    def answer(request):
        found = own if request.headers["depth"] == "0" else "".join(map(entry, hrefs))
        return httpx.Response(207, content=f'<d:multistatus xmlns:d="DAV:">{found}</d:multistatus>')

    files = RemoteFiles(WebDav(remote(Server(door=answer), token), DOOR))
    assert [each.name for each in await files.children("/box")] == ["a"]


@pytest.mark.parametrize("value", ["9" * 4000, "soon", "-1", "1\t2", "\uff11"])
async def test_what_a_storage_says_of_retrying_is_told_only_as_seconds(token, value):
    server = Server(door=lambda _: httpx.Response(503, headers=[(b"retry-after", value.encode())]))
    with pytest.raises(Unavailable) as caught:
        await remote(server, token).send("GET", DOOR + "/f")
    assert "retry-after" not in (caught.value.headers or {})


@pytest.mark.parametrize("text", ["se\ncret", "se\rcret", "sécret", "se\0cret"])
async def test_a_secret_no_header_can_carry_is_named_and_not_shown(tmp_path, text):
    (tmp_path / "token").write_text(text)
    with pytest.raises(Unavailable) as caught:
        await remote(Server(), tmp_path / "token").send("GET", DOOR + "/f")
    assert "token" in str(caught.value)
    assert "cret" not in str(caught.value).replace("The secret file", "")


async def test_errors_of_the_network_carry_no_request(token):
    def refuse(request):
        raise httpx.ConnectError(f"cannot reach {request.url}: {request.headers['authorization']}")

    with pytest.raises(Unavailable) as caught:
        await remote(Server(door=refuse), token).send("GET", DOOR + "/f?secret=1")
    shown = f"{caught.value} {caught.value.__cause__!r}"
    assert "secret" not in shown
    assert caught.value.__suppress_context__


STRANGE_DATES = [
    "Fri, 31 Dec 9999 23:59:59 -2300",
    "Sun, 99 Nov 2026 12:00:00 GMT",
    "Sun, 22 Nov 2026 12:00:00 +99999999",
    "soon",
]
STRANGE_SIZES = ["-5", "1_0", "٣", "1e3", "NaN", "9" * 5000]
DATE = "Sun, 22 Nov 2026 12:00:00 GMT"


@pytest.mark.parametrize(
    ("date", "size"), [*((date, "1") for date in STRANGE_DATES), *((DATE, size) for size in STRANGE_SIZES)]
)
async def test_times_and_sizes_nobody_can_have_are_no_file(token, date, size):
    entry = (
        f'<d:multistatus xmlns:d="DAV:"><d:response><d:href>/f</d:href><d:getcontentlength>{size}'
        f"</d:getcontentlength><d:getlastmodified>{date}</d:getlastmodified></d:response></d:multistatus>"
    )
    headers = [(b"last-modified", date.encode()), (b"content-length", size.encode())]
    server = Server(
        door=lambda _: httpx.Response(207, content=entry), cloud=lambda _: httpx.Response(200, headers=headers)
    )
    bucket = Bucket("https://cloud.example.org", "bucket", "us-east-1", token, token)
    for asked in (WebDav(remote(server, token), DOOR).stat("/f"), S3(remote(server, token), bucket).head("f")):
        with pytest.raises(Unavailable, match="something unexpected"):
            await asked


@pytest.mark.parametrize(
    "strange",
    [
        *(
            {"mtime": each}
            for each in (1e17, -1e17, 1 << 62, -(1 << 62), 10**400, float("inf"), float("nan"), [], "x")
        ),
        *({"size": each} for each in (-5, 1.5, float("nan"), True, [1], "-1", 10**400)),
        {"name": "\ud800"},
    ],
)
async def test_what_onedata_says_of_a_file_is_checked(token, strange):
    children = json.dumps(
        {"children": [{"fileId": "x", "name": "n", "type": "REG", "size": 1, "mtime": 1} | strange]}
    )
    space = OneData(remote(Server(door=lambda _: httpx.Response(200, content=children)), token), DOOR, "s", "id")
    with pytest.raises(Unavailable, match="something unexpected"):
        await space.children("x", "/")


def cloud(server, token):
    api = S3(remote(server, token), Bucket("https://cloud.example.org", "bucket", "us-east-1", token, token))
    return S3Backend("cloud", api, {"Warm": NativeClass("STANDARD", False, {})}, "Warm", Place())


def listing(*keys, following=""):
    return f"<L><IsTruncated>{'true' if following else 'false'}</IsTruncated>" + (
        "".join(f"<Contents><Key>{key}</Key></Contents>" for key in keys)
        + f"<NextContinuationToken>{following}</NextContinuationToken></L>"
    )


@pytest.mark.parametrize("tokens", [["a"], ["a", "b"], ["a", "b", "b"]])
async def test_a_listing_that_goes_in_a_circle_ends(token, tokens):
    pages = itertools.cycle(tokens)

    def answer(request):
        if request.method == "HEAD":
            return httpx.Response(404)
        return httpx.Response(200, content=listing("key", following=next(pages)))

    def children(_):
        return httpx.Response(200, json={"children": [], "isLast": False, "nextPageToken": next(pages)})

    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="again and again"):
            await cloud(Server(cloud=answer), token).children("/")
        if len(tokens) > 1 and tokens[-1] != tokens[-2]:
            with pytest.raises(Unavailable, match="something unexpected"):
                await OneData(remote(Server(door=children), token), DOOR, "s", "id").children("x", "/")


async def test_a_removal_that_removes_nothing_ends(token):
    def answer(request):
        match request.method:
            case "HEAD":
                return httpx.Response(404)
            case "DELETE":
                return httpx.Response(204)
        return httpx.Response(200, content=listing("box/a", "box/b"))

    async with asyncio.timeout(5):
        with pytest.raises(Unavailable, match="still has"):
            await cloud(Server(cloud=answer), token).delete("/box")


@pytest.mark.parametrize("key", ["a+b%2Bc", "a%20b%2Bc"])
async def test_a_space_in_a_listing_is_a_plus_sign_or_an_escape(token, key):
    def answer(request):
        return httpx.Response(404) if request.method == "HEAD" else httpx.Response(200, content=listing(key))

    (child,) = await cloud(Server(cloud=answer), token).children("/")
    assert child.name == "a b+c"
