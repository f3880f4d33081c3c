"""The Tape REST API as gfal2's interface sees it: bring_online, polls, release and abort against a gateway that runs.

``INDIGO_TEST_GFAL_PYTHON`` names an interpreter that has a ``gfal2`` module (xgfalclient, or Debian's python3-gfal2).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from indigo_kernel.auth.client import ServiceTokens
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import SystemClock
from indigo_kernel.db import migrate
from indigo_kernel.http.server import listen, serving
from indigo_qos_gateway.bootstrap import MIGRATIONS, build
from indigo_qos_gateway.settings import Settings

CLASS = "/cdmi_capabilities/dataobject/"


@pytest.fixture(scope="module")
def gfal_python() -> str:
    python = os.environ.get("INDIGO_TEST_GFAL_PYTHON", sys.executable)
    if subprocess.run([python, "-c", "import gfal2"], capture_output=True, check=False).returncode:
        pytest.skip(f"no gfal2 in {python}; run: {python} -m pip install xgfalclient")
    return python


@dataclass
class Site:
    root: str
    http: httpx.AsyncClient
    tape_token: str

    async def at(self, path: str) -> str:
        """The class of a file that is not moving; ``None`` while it is."""
        found = (await self.http.get(path)).json()
        moving = "cdmi_capabilities_target" in found["metadata"]
        return "moving" if moving else found["capabilitiesURI"].removeprefix(CLASS)

    async def until(self, path: str, name: str) -> None:
        async with asyncio.timeout(20):
            while await self.at(path) != name:
                await asyncio.sleep(0.05)

    async def on_tape(self, *paths: str) -> None:
        for path in paths:
            assert (await self.http.put(path, content=b"x" * 100_000)).status_code == 201
            asked = await self.http.put(
                path,
                json={"capabilitiesURI": CLASS + "TapeOnly"},
                headers={"content-type": "application/cdmi-object"},
            )
            assert asked.status_code == 204
        for path in paths:
            await self.until(path, "TapeOnly")


@pytest_asyncio.fixture
async def site(make_database, tmp_path) -> AsyncIterator[Site]:
    clock = SystemClock()
    issuer = DevIssuer(tmp_path, "https://issuer.example.org", clock=clock)
    bound = listen("127.0.0.1", 0)
    root = f"http://127.0.0.1:{bound.getsockname()[1]}"
    runtime = build(
        Settings(
            database_url=await make_database("tape"),
            public_url=root,
            secret_key="a key for tests only",
            repository_url="http://repository.example.org",
            posix_disk_dir=tmp_path / "disk",
            posix_tape_dir=tmp_path / "tape",
            polling_interval="PT0.2S",
        ),
        clock=clock,
        bus=MemoryBus(clock=clock),
        verifier=TokenVerifier([issuer.trusted()], "indigo", clock),
        service_auth=ServiceTokens(issuer.source("service:qos", ["service"], audience="indigo"), clock),
    )
    await migrate.upgrade(runtime.database.engine, MIGRATIONS)
    await runtime.start()
    await runtime.consume()
    auth = {"authorization": f"Bearer {issuer.token('ana', ['qos:change'])}"}
    async with (
        serving(runtime.api, bound),
        httpx.AsyncClient(base_url=root, headers=auth, trust_env=False) as http,
    ):
        yield Site(root, http, issuer.token("ana", ["storage.stage:/", "storage.poll:/", "storage.read:/"]))
    await runtime.stop()


class Client:
    """A process with gfal2 in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, name: str, paths: str | list[str], *more: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, paths, *more]).encode() + b"\n")
        async with asyncio.timeout(30):
            line = await self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            pytest.fail((await self._process.stderr.read()).decode())
        return json.loads(line)

    async def until(self, wanted: Any, name: str, *arguments: Any) -> None:
        async with asyncio.timeout(20):
            while await self(name, *arguments) != wanted:
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def gfal(site: Site, gfal_python: str) -> AsyncIterator[Client]:
    process = await asyncio.create_subprocess_exec(
        gfal_python,
        Path(__file__).with_name("gfal_tape_steps.py"),
        site.root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "BEARER_TOKEN": site.tape_token},
    )
    yield Client(process)
    process.terminate()
    await process.communicate()


async def test_a_file_is_brought_online_and_released(site: Site, gfal: Client) -> None:
    await site.on_tape("/data/f")
    assert await gfal("getxattr", "/data/f", "user.status") == "NEARLINE"
    status, token = await gfal("bring_online", "/data/f", 3600, 60, True)
    assert status == 0
    await gfal.until(1, "bring_online_poll", "/data/f", token)
    assert await gfal("getxattr", "/data/f", "user.status") == "ONLINE_AND_NEARLINE"
    assert await gfal("release", "/data/f", token) == 0
    await site.until("/data/f", "TapeOnly")
    assert await gfal("getxattr", "/data/f", "user.status") == "NEARLINE"


async def test_a_list_has_an_answer_for_each(site: Site, gfal: Client) -> None:
    await site.on_tape("/a", "/b")
    errors, token = await gfal("bring_online", ["/a", "/b", "/none"], 3600, 60, True)
    assert errors == [None] * 3
    async with asyncio.timeout(20):
        while (told := await gfal("bring_online_poll", ["/a", "/b", "/none"], token))[:2] != [None, None]:
            await asyncio.sleep(0.05)
        while "not yet" in (told := await gfal("bring_online_poll", ["/a", "/b", "/none"], token))[2]:
            await asyncio.sleep(0.05)
    assert "Object not found" in told[2]
    assert await gfal("release", ["/a", "/b"], "") == [None, None]  # as gfal-evict without a token
    await site.until("/a", "TapeOnly")
    await site.until("/b", "TapeOnly")


async def test_archiving_is_polled(site: Site, gfal: Client) -> None:
    assert (await site.http.put("/f", content=b"x")).status_code == 201
    assert await gfal("archive_poll", "/f") == 0
    await site.on_tape("/g")
    assert await gfal("archive_poll", "/g") == 1
    told = await gfal("archive_poll", ["/f", "/g", "/none"])
    assert "not yet archived" in told[0]
    assert told[1] is None
    assert "No such file" in told[2]


async def test_staging_is_aborted(site: Site, gfal: Client) -> None:
    await site.on_tape("/f")
    _, token = await gfal("bring_online", "/f", 3600, 60, True)
    assert await gfal("abort_bring_online", "/f", token) == 0
    await site.until("/f", "TapeOnly")
    wrong = await gfal("abort_bring_online", "/other", token)
    assert "400" in wrong["error"]
