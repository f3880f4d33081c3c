"""The fakes of dCache and OneData as the clients of these systems see them: they are not only what we expect."""

import asyncio
import datetime as dt
import ipaddress
import json
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from indigo_kernel.http.server import listen
from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.http.credentials import HeaderAuth
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.onedata.api import OneData
from indigo_qos_gateway.adapters.onedata.backend import OneDataBackend
from indigo_testing.backend_contract import all_of, chunked
from indigo_testing.fakes.dcache import DCache
from indigo_testing.fakes.library import Library
from indigo_testing.fakes.onedata import OneDataSpace
from indigo_testing.foreign import environment

HERE = Path(__file__).parent


@pytest.fixture
def certificate(tmp_path):
    """Files with a certificate of 127.0.0.1 and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    (tmp_path / "cert.pem").write_bytes(made.public_bytes(pem))
    (tmp_path / "key.pem").write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return {"ssl_certfile": tmp_path / "cert.pem", "ssl_keyfile": tmp_path / "key.pem"}


@asynccontextmanager
async def served(app, certificate):
    """The host and port at which ``app`` answers over TLS."""
    bound = listen("127.0.0.1", 0)
    server = uvicorn.Server(uvicorn.Config(app, lifespan="off", log_config=None, **certificate))
    task = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        while not server.started:
            await asyncio.sleep(0.005)
        yield f"127.0.0.1:{bound.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task


async def steps(programs, script, address):
    process = await asyncio.create_subprocess_exec(
        programs / "python",
        HERE / script,
        address,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        stdout, stderr = await process.communicate()
    assert process.returncode == 0, stderr.decode()
    return json.loads(stdout)


async def test_dcaches_client_finds_the_files_and_stages_one(tmp_path, certificate):
    programs = environment("dcache", "dcache-pyclient==0.2.1")
    library = Library(tmp_path / "files", moves=False)
    (tmp_path / "files/vo").mkdir()
    (tmp_path / "files/vo/cold").write_bytes(b"12345")
    (tmp_path / "files/vo/dir").mkdir()
    flags = library.at("/vo/cold")
    flags.disk, flags.tape = False, True
    async with served(DCache(library), certificate) as host:
        seen = await steps(programs, "dcache_steps.py", f"https://{host}/api/v1")
    assert seen["listed"] == ["cold", "dir/"]
    assert seen["before"] == [5, "Locality.NEARLINE", "tape"]
    assert seen["request"] == "COMPLETED"
    assert seen["after"] == "Locality.ONLINE_AND_NEARLINE"


async def test_onedatas_client_and_ours_see_each_others_files(tmp_path, certificate):
    programs = environment("onedata", "onedatafilerestclient==25.2.0")
    space = OneDataSpace(tmp_path / "space", "LifeWatch@sp1", "sp1")
    (tmp_path / "token").write_text("secret")
    remote = Remote(
        "od",
        auth=HeaderAuth(tmp_path / "token", "x-auth-token", ""),
        transport=httpx.ASGITransport(space),
    )
    backend = OneDataBackend("od", OneData(remote, "https://p", "LifeWatch@sp1", "sp1"), {}, "Any", Place())
    await backend.write("/ours", chunked(b"our bytes"))
    async with served(space, certificate) as host:
        seen = await steps(programs, "onedata_steps.py", host)
    assert seen == {
        "space": "LifeWatch",
        "children": ["b"],
        "part": "bytes",
        "ours": "our bytes",
        "attributes": {"k": "v"},
    }
    assert await all_of(backend, "/theirs/b") == b"their bytes"
    assert [each.name for each in await backend.children("/theirs")] == ["b"]
    await backend.close()
