"""gfal2's interface against a gateway that runs, in front of every kind of back-end.

The client is xgfalclient, whole, in an environment of its own: classes are listed and changed with its QoS calls
(CDMI), files are brought online, polled, released and aborted with its tape calls (WLCG Tape REST).
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
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
from indigo_testing.foreign import environment
from indigo_testing.storages import STORAGES, Storage

CLASS = "/cdmi_capabilities/dataobject/"
DATA = b"x" * 100_000


class Client:
    """A process with gfal2 in it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, name: str, paths: str | list[str], *more: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([name, paths, *more]).encode() + b"\n")
        async with asyncio.timeout(20):
            line = await self._process.stdout.readline()
        if not line:
            assert self._process.stderr is not None
            pytest.fail((await self._process.stderr.read()).decode())
        return json.loads(line)

    async def until(self, wanted: Any, name: str, *arguments: Any) -> None:
        async with asyncio.timeout(20):
            while await self(name, *arguments) != wanted:
                await asyncio.sleep(0.05)


@dataclass
class Site:
    """A gateway with one storage at its root, and a gfal2 that talks to it."""

    storage: Storage
    http: httpx.AsyncClient
    gfal: Client

    async def at(self, path: str) -> str:
        """The class of a file that is not moving; ``moving`` while it is."""
        found = (await self.http.get(path)).json()
        moving = "cdmi_capabilities_target" in found["metadata"]
        return "moving" if moving else str(found["capabilitiesURI"]).removeprefix(CLASS)

    async def until(self, path: str, name: str) -> None:
        async with asyncio.timeout(20):
            while await self.at(path) != name:
                await asyncio.sleep(0.05)

    async def stored(self, *paths: str) -> None:
        for path in paths:
            assert (await self.http.put(path, content=DATA)).status_code == 201

    async def on_tape(self, *paths: str) -> None:
        tape = self.storage.tape
        if tape is None:
            pytest.skip("nothing goes to tape here")
        await self.stored(*paths)
        for path in paths:
            if self.storage.evict is not None:
                self.storage.evict(path)
                continue
            asked = await self.http.put(
                path,
                json={"capabilitiesURI": CLASS + tape},
                headers={"content-type": "application/cdmi-object"},
            )
            assert asked.status_code == 204, asked.text
        for path in paths:
            await self.until(path, tape)

    async def back_on_tape(self, path: str) -> None:
        """Wait until a file that was released is where it came from."""
        if self.storage.evict is not None:
            self.storage.evict(path)  # when it goes is the system's own affair
        assert self.storage.tape is not None
        await self.until(path, self.storage.tape)


@asynccontextmanager
async def running(url: str, storage: Storage, directory: Path) -> AsyncIterator[Site]:
    clock = SystemClock()
    issuer = DevIssuer(directory, "https://issuer.example.org", clock=clock)
    bound = listen("127.0.0.1", 0)
    root = f"http://127.0.0.1:{bound.getsockname()[1]}"
    places = (
        {"mounts_file": storage.mounts_file(directory / "mounts.toml")}
        if storage.mount
        else {"posix_disk_dir": directory / "disk", "posix_tape_dir": directory / "tape"}
    )
    runtime = build(
        Settings(
            database_url=url,
            public_url=root,
            secret_key="a key for tests only",
            repository_url="http://repository.example.org",
            polling_interval="PT0.2S",
            transition_patience="PT0.2S",
            **places,
        ),
        clock=clock,
        bus=MemoryBus(clock=clock),
        verifier=TokenVerifier([issuer.trusted()], "indigo", clock),
        service_auth=ServiceTokens(issuer.source("service:qos", ["service"], audience="indigo"), clock),
    )
    await migrate.upgrade(runtime.database.engine, MIGRATIONS)
    await runtime.start()
    await runtime.consume()
    scopes = ["qos:change", "storage.stage:/", "storage.poll:/", "storage.read:/"]
    token = issuer.token("ana", scopes)
    process = await asyncio.create_subprocess_exec(
        environment("gfal", "xgfalclient==0.4.0") / "python",
        Path(__file__).with_name("gfal_steps.py"),
        root,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "BEARER_TOKEN": token},
    )
    auth = {"authorization": f"Bearer {token}"}
    try:
        async with (
            serving(runtime.api, bound),
            httpx.AsyncClient(base_url=root, headers=auth, trust_env=False, timeout=30) as http,
        ):
            yield Site(storage, http, Client(process))
    finally:
        process.terminate()
        await process.communicate()
        await runtime.stop()


@pytest_asyncio.fixture(
    scope="module",
    params=["posix", *(pytest.param(each, marks=[pytest.mark.slow] * (each == "ceph")) for each in STORAGES)],
)
async def site(request: pytest.FixtureRequest, make_database, tmp_path_factory) -> AsyncIterator[Site]:
    directory = tmp_path_factory.mktemp(request.param)
    url = await make_database("gfal")
    if request.param == "posix":
        async with running(url, Storage({}), directory) as site:
            yield site
        return
    async with STORAGES[request.param](directory) as storage, running(url, storage, directory) as site:
        yield site


async def test_classes_are_listed(site: Site) -> None:
    listed = await site.gfal("qos_check_classes", "", "dataobject")
    offered = {each["name"] for each in (await site.http.get("/api/backends")).json()[0]["classes"]}
    assert sorted(listed) == sorted(CLASS + name for name in offered)
    assert {site.storage.landing, site.storage.other} <= offered


async def test_a_class_is_changed(site: Site) -> None:
    landing, other = site.storage.landing, site.storage.other
    await site.stored("/changed/f")
    assert await site.gfal("check_file_qos", "/changed/f") == CLASS + landing
    assert CLASS + other in await site.gfal("check_available_qos_transitions", CLASS + landing)
    assert await site.gfal("change_object_qos", "/changed/f", CLASS + other) == 0
    # Told while it moves; what had come there before it was asked has no target any more.
    target = await site.gfal("check_target_qos", "/changed/f")
    assert target == CLASS + other or await site.at("/changed/f") == other
    await site.gfal.until(CLASS + other, "check_file_qos", "/changed/f")
    assert (await site.http.get("/changed/f", headers={"accept": "text/plain"})).content == DATA


async def test_a_file_is_brought_online_and_released(site: Site) -> None:
    await site.on_tape("/staged/f")
    assert await site.gfal("getxattr", "/staged/f", "user.status") == "NEARLINE"
    status, token = await site.gfal("bring_online", "/staged/f", 3600, 60, True)
    assert status == 0
    await site.gfal.until(1, "bring_online_poll", "/staged/f", token)
    assert await site.gfal("getxattr", "/staged/f", "user.status") in {"ONLINE", "ONLINE_AND_NEARLINE"}
    assert (await site.http.get("/staged/f", headers={"accept": "text/plain"})).content == DATA
    assert await site.gfal("release", "/staged/f", token) == 0
    await site.back_on_tape("/staged/f")
    assert await site.gfal("getxattr", "/staged/f", "user.status") == "NEARLINE"


async def test_what_is_on_disk_is_online_at_once(site: Site) -> None:
    await site.stored("/online/f")
    assert await site.gfal("getxattr", "/online/f", "user.status") == "ONLINE"
    _, token = await site.gfal("bring_online", "/online/f", 3600, 60, True)
    await site.gfal.until(1, "bring_online_poll", "/online/f", token)
    assert await site.gfal("release", "/online/f", token) == 0
    assert await site.at("/online/f") in {site.storage.landing, "DiskAndTape"}  # where systems copy unasked


async def test_a_list_has_an_answer_for_each(site: Site) -> None:
    await site.on_tape("/list/a", "/list/b")
    paths = ["/list/a", "/list/b", "/list/none"]
    errors, token = await site.gfal("bring_online", paths, 3600, 60, True)
    assert errors == [None] * 3
    async with asyncio.timeout(20):
        while (told := await site.gfal("bring_online_poll", paths, token))[:2] != [None, None]:
            await asyncio.sleep(0.05)
        while "not yet" in (told := await site.gfal("bring_online_poll", paths, token))[2]:
            await asyncio.sleep(0.05)
    assert "Object not found" in told[2]
    assert await site.gfal("release", paths[:2], "") == [None, None]  # as gfal-evict without a token
    await site.back_on_tape("/list/a")
    await site.back_on_tape("/list/b")


async def test_archiving_is_polled(site: Site) -> None:
    await site.stored("/polled/f")
    assert await site.gfal("archive_poll", "/polled/f") == 0
    await site.on_tape("/polled/g")
    assert await site.gfal("archive_poll", "/polled/g") == 1
    told = await site.gfal("archive_poll", ["/polled/g", "/polled/none"])
    assert told[0] is None
    assert "No such file" in told[1]


async def test_staging_is_aborted(site: Site) -> None:
    await site.on_tape("/aborted/f")
    _, token = await site.gfal("bring_online", "/aborted/f", 3600, 60, True)
    assert await site.gfal("abort_bring_online", "/aborted/f", token) == 0
    # It may have come before it was aborted. Either way it is whole, and can be asked for again.
    _, again = await site.gfal("bring_online", "/aborted/f", 3600, 60, True)
    await site.gfal.until(1, "bring_online_poll", "/aborted/f", again)
    assert (await site.http.get("/aborted/f", headers={"accept": "text/plain"})).content == DATA
    wrong = await site.gfal("abort_bring_online", "/other", token)
    assert "400" in wrong["error"]
