from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from indigo_kernel.http.addresses import is_public, may_reach
from indigo_kernel.http.guarded import FetchFailed, Guard, GuardedClient, UrlRefused
from indigo_kernel.http.server import listen, serving
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

LOOPBACK = (ip_network("127.0.0.1/32"),)

REFUSED = [
    "0.0.0.0",
    "10.1.2.3",
    "100.64.0.1",
    "100.100.100.200",
    "127.0.0.1",
    "127.255.255.254",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "172.31.255.255",
    "192.0.0.192",
    "192.88.99.1",
    "192.168.1.1",
    "198.18.0.1",
    "224.0.0.1",
    "239.255.255.250",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::1",
    "100::1",
    "2001::1",
    "2001:db8::1",
    "2002:7f00:1::",
    "3fff::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "ff02::1",
    "not an address",
]


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_public_is_refused(address: str) -> None:
    assert not may_reach(address, ())


@pytest.mark.parametrize("address", ["8.8.8.8", "1.1.1.1", "172.32.0.1", "2606:4700::1111", "2a00:1450::1"])
def test_public_addresses_pass(address: str) -> None:
    assert may_reach(address, ())


@given(st.ip_addresses())
def test_nothing_python_calls_private_passes(address) -> None:
    if address.is_private or address.is_multicast or address.is_reserved or address.is_loopback:
        assert not is_public(address) or str(address) in {"192.0.0.9", "192.0.0.10"}


def test_an_operator_opens_networks() -> None:
    allowed = (ip_network("10.0.0.0/8"), ip_network("fd12::/16"))
    assert may_reach("10.1.2.3", allowed)
    assert may_reach("fd12::1", allowed)
    assert not may_reach("192.168.0.1", allowed)
    assert not may_reach("::ffff:10.1.2.3", allowed)


class Names:
    """A resolver whose answers a test decides; each question is noted."""

    def __init__(self, **hosts: Sequence[str]) -> None:
        self.hosts = {name.replace("_", "."): list(addresses) for name, addresses in hosts.items()}
        self.asked: list[str] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append(host)
        if host not in self.hosts:
            raise OSError(f"{host} is not known")
        return self.hosts[host]


class Target:
    """A server on 127.0.0.1 that tells what it was asked."""

    def __init__(self) -> None:
        self.port = 0
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.release = asyncio.Event()

    async def echo(self, request: Request) -> Response:
        self.asked.append((request.method, request.headers["host"], dict(request.headers)))
        return JSONResponse(
            {"method": request.method, "body": (await request.body()).decode()},
            headers={"set-cookie": "session=1"},
        )

    async def redirect(self, request: Request) -> Response:
        self.asked.append((request.method, request.headers["host"], dict(request.headers)))
        return RedirectResponse(request.query_params["to"], int(request.query_params.get("code", "302")))

    async def endless(self, request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            while True:
                yield b"x" * 10_000
                await asyncio.sleep(0)  # the client runs in the same event loop

        return StreamingResponse(chunks())

    async def slow(self, request: Request) -> Response:
        async def chunks() -> AsyncIterator[bytes]:
            yield b"x"
            await self.release.wait()

        return StreamingResponse(chunks())

    async def packed(self, request: Request) -> Response:
        return Response(b"....", headers={"content-encoding": "gzip"})

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/echo", self.echo, methods=["GET", "POST"]),
                Route("/redirect", self.redirect, methods=["GET", "POST"]),
                Route("/endless", self.endless),
                Route("/slow", self.slow),
                Route("/packed", self.packed),
            ]
        )


@pytest_asyncio.fixture
async def target() -> AsyncIterator[Target]:
    target = Target()
    bound = listen("127.0.0.1", 0)
    target.port = bound.getsockname()[1]
    async with serving(target.app(), bound):
        yield target
        target.release.set()


def guarded(target: Target, names: Names, **changes) -> GuardedClient:
    guard = Guard(**{"ports": frozenset({80, 443, target.port}), "allow_private": LOOPBACK} | changes)
    return GuardedClient(guard, user_agent="indigo-test", resolver=names)


async def test_a_page_is_fetched_from_the_checked_address(target) -> None:
    names = Names(data_example_org=["127.0.0.1"])
    async with guarded(target, names) as client:
        got = await client.fetch(f"http://data.example.org:{target.port}/echo#part")
    assert got.status == 200
    assert got.url == f"http://data.example.org:{target.port}/echo"
    method, host, headers = target.asked[0]
    assert (method, host) == ("GET", f"data.example.org:{target.port}")
    assert headers["user-agent"] == "indigo-test"
    assert headers["accept-encoding"] == "identity"
    assert names.asked == ["data.example.org"]


async def test_a_post_carries_its_body(target) -> None:
    async with guarded(target, Names(hook_example_org=["127.0.0.1"])) as client:
        got = await client.fetch(f"http://hook.example.org:{target.port}/echo", method="POST", content=b"event")
    assert got.body == b'{"method":"POST","body":"event"}'


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:{port}/echo",
        "http://localhost:{port}/echo",
        "http://2130706433:{port}/echo",
        "http://0x7f.1:{port}/echo",
        "http://127.1:{port}/echo",
        "http://[::1]:{port}/echo",
        "http://[::ffff:127.0.0.1]:{port}/echo",
        "http://169.254.169.254/latest/meta-data/",
    ],
)
async def test_private_targets_are_refused_by_any_name(target, url: str) -> None:
    guard = Guard(ports=frozenset({80, target.port}))
    async with GuardedClient(guard, user_agent="indigo-test") as client:
        with pytest.raises(UrlRefused) as raised:
            await client.fetch(url.format(port=target.port))
    assert raised.value.status == 400
    assert target.asked == []


@pytest.mark.parametrize(
    "url",
    [
        "ftp://data.example.org/",
        "file:///etc/passwd",
        "gopher://data.example.org/",
        "http://user:password@data.example.org/",
        "http://user@data.example.org/",
        "http://data.example.org:22/",
        "http:///path",
        "http://",
        "data.example.org",
        "//data.example.org/",
        "http://[::1",
        "http://a b/",
        "http://exa\x00mple.org/",
        "http://data.example.org:99999/",
        "",
    ],
)
async def test_other_urls_are_refused(target, url: str) -> None:
    names = Names(data_example_org=["8.8.8.8"])
    async with guarded(target, names) as client:
        with pytest.raises(UrlRefused):
            await client.fetch(url)
    assert names.asked == []


async def test_one_private_address_spoils_a_name(target) -> None:
    async with guarded(target, Names(two_example_org=["127.0.0.1", "10.0.0.1"])) as client:
        with pytest.raises(UrlRefused) as raised:
            await client.fetch(f"http://two.example.org:{target.port}/echo")
    assert "10.0.0.1" not in raised.value.detail


async def test_the_name_is_resolved_once_per_hop(target) -> None:
    """Rebinding: whatever the name means a moment later, the connection goes where the check looked."""

    class Rebinding(Names):
        async def __call__(self, host: str, port: int) -> Sequence[str]:
            await super().__call__(host, port)
            return ["127.0.0.1"] if len(self.asked) == 1 else ["10.0.0.1"]

    names = Rebinding(moving_example_org=[])
    async with guarded(target, names) as client:
        assert (await client.fetch(f"http://moving.example.org:{target.port}/echo")).status == 200
        assert names.asked == ["moving.example.org"]
        with pytest.raises(UrlRefused):
            await client.fetch(f"http://moving.example.org:{target.port}/echo")


@pytest.mark.parametrize(
    "to",
    [
        "http://inside.example.org/",
        "http://10.0.0.1/",
        "file:///etc/passwd",
        "http://user:pw@data.example.org/",
        "http://data.example.org:22/",
        "//inside.example.org/",
    ],
)
async def test_a_redirect_is_checked_like_the_first_url(target, to: str) -> None:
    names = Names(data_example_org=["127.0.0.1"], inside_example_org=["10.0.0.1"])
    async with guarded(target, names) as client:
        with pytest.raises(UrlRefused):
            await client.fetch(
                str(httpx.URL(f"http://data.example.org:{target.port}/redirect", params={"to": to}))
            )
    assert len(target.asked) == 1


async def test_a_redirect_elsewhere_takes_no_credentials_along(target) -> None:
    names = Names(a_example_org=["127.0.0.1"], b_example_org=["127.0.0.1"])
    secret = {"authorization": "Bearer x", "cookie": "a=b", "accept": "text/turtle"}
    async with guarded(target, names) as client:
        url = f"http://a.example.org:{target.port}/redirect?to=http://b.example.org:{target.port}/echo"
        got = await client.fetch(url, headers=secret)
        assert got.url == f"http://b.example.org:{target.port}/echo"
        await client.fetch(f"http://a.example.org:{target.port}/redirect?to=/echo", headers=secret)
    (_, _, first), (_, _, second), _, (_, _, same) = target.asked
    assert first["authorization"] == "Bearer x"
    assert not {"authorization", "cookie"} & second.keys()
    assert second["accept"] == "text/turtle"
    assert same["authorization"] == "Bearer x"


@pytest.mark.parametrize(
    ("code", "method"), [(301, "GET"), (302, "GET"), (303, "GET"), (307, "POST"), (308, "POST")]
)
async def test_redirects_of_a_post(target, code: int, method: str) -> None:
    async with guarded(target, Names(a_example_org=["127.0.0.1"])) as client:
        url = f"http://a.example.org:{target.port}/redirect?to=/echo&code={code}"
        got = await client.fetch(url, method="POST", content=b"body")
    assert got.body.startswith(f'{{"method":"{method}","body":"{"body" if method == "POST" else ""}"'.encode())


async def test_redirects_end(target) -> None:
    async with guarded(target, Names(a_example_org=["127.0.0.1"])) as client:
        with pytest.raises(FetchFailed, match="redirects"):
            await client.fetch(f"http://a.example.org:{target.port}/redirect?to=")
    assert len(target.asked) == 6


async def test_cookies_are_not_kept(target) -> None:
    async with guarded(target, Names(a_example_org=["127.0.0.1"])) as client:
        for _ in range(2):
            await client.fetch(f"http://a.example.org:{target.port}/echo")
    assert "cookie" not in target.asked[1][2]


async def test_size_is_bounded(target) -> None:
    async with guarded(target, Names(a_example_org=["127.0.0.1"]), max_bytes=100_000) as client:
        with pytest.raises(FetchFailed, match="more than 100000 bytes"):
            await client.fetch(f"http://a.example.org:{target.port}/endless")


async def test_time_is_bounded_over_the_body_too(target) -> None:
    async with guarded(target, Names(a_example_org=["127.0.0.1"]), seconds=0.3) as client:
        with pytest.raises(FetchFailed, match=r"longer than 0\.3 seconds") as raised:
            await client.fetch(f"http://a.example.org:{target.port}/slow")
    assert raised.value.status == 502


async def test_a_compressed_body_is_refused(target) -> None:
    async with guarded(target, Names(a_example_org=["127.0.0.1"])) as client:
        with pytest.raises(FetchFailed, match="compressed"):
            await client.fetch(f"http://a.example.org:{target.port}/packed")


async def test_the_body_can_be_read_as_it_comes(target) -> None:
    async with (
        guarded(target, Names(a_example_org=["127.0.0.1"])) as client,
        client.stream(f"http://a.example.org:{target.port}/endless") as answer,
    ):
        assert answer.status == 200
        async for chunk in answer.chunks():
            assert chunk.strip(b"x") == b""
            break


async def test_unknown_hosts_and_closed_ports_are_failures(target, free_port) -> None:
    port = free_port()
    names = Names(a_example_org=["127.0.0.1"])
    async with guarded(target, names, ports=frozenset({80, port})) as client:
        with pytest.raises(FetchFailed, match="cannot be found"):
            await client.fetch("http://nowhere.example.org/")
        with pytest.raises(FetchFailed, match="ConnectError"):
            await client.fetch(f"http://a.example.org:{port}/")


async def test_the_next_address_is_tried(target) -> None:
    allowed = (ip_network("127.0.0.0/8"),)
    names = Names(a_example_org=["127.0.0.2", "127.0.0.1"])
    async with guarded(target, names, allow_private=allowed) as client:
        assert (await client.fetch(f"http://a.example.org:{target.port}/echo")).status == 200


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A self-signed certificate of secure.example.org, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "secure.example.org")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("secure.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, secret = tmp_path / "certificate.pem", tmp_path / "key.pem"
    pem.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    secret.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return pem, secret


async def test_the_certificate_must_be_the_names(certificate) -> None:
    target = Target()
    pem, key = certificate
    server_tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_tls.load_cert_chain(pem, key)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=server_tls)
    target.port = server.sockets[0].getsockname()[1]
    trusting = ssl.create_default_context(cafile=str(pem))
    names = Names(secure_example_org=["127.0.0.1"], other_example_org=["127.0.0.1"])
    async with server, guarded(target, names, tls=trusting) as client:
        assert (await client.fetch(f"https://secure.example.org:{target.port}/")).body == b"ok"
        with pytest.raises(FetchFailed):
            await client.fetch(f"https://other.example.org:{target.port}/")
    async with guarded(target, names) as client:
        with pytest.raises(FetchFailed):
            await client.fetch(f"https://secure.example.org:{target.port}/")
