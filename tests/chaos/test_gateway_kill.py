"""kill -9 of a gateway while objects go from one back-end to another, both ways: each is there once, and told once."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.issuer_routes import issuer_routes
from indigo_kernel.db.engine import create_engine
from indigo_kernel.db.jobs import free_leases
from indigo_kernel.http.server import listen, serving
from indigo_testing.deployments import Process

pytestmark = pytest.mark.slow

OBJECTS = 200
KILLS = 5
SECONDS = (0.05, 1.5)
"""From the moment the gateway answers to its next death."""

PATIENCE = 240.0

MOUNTS = """
[[mount]]
prefix = "/far"
name = "far"
type = "posix"
disk = "{far}/disk"
tape = "{far}/tape"
"""

RULES = """
[storage.posix]
takers = ["far"]
[storage.far]
takers = ["posix"]
"""


class Gateway:
    """The processes of one gateway. They die together, as those of one machine do."""

    def __init__(self, folder: Path, port: int, environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self._log = folder / "gateway.log"
        self._environment = {f"INDIGO_QOS_GATEWAY_{name}": value for name, value in environment.items()}
        self._processes: list[Process] = []

    def run(self, verb: str) -> Process:
        command = [sys.executable, "-m", "indigo_qos_gateway", verb]
        return Process(f"gateway {verb}", command, self._log, self._environment)

    def start(self) -> None:
        self._processes = [self.run("consume"), self.run("serve")]
        self._processes[1].await_answer(f"{self.url}/livez")

    def kill(self) -> None:
        for process in self._processes:
            process.kill()

    def stop(self) -> None:
        for process in self._processes:
            process.stop()


@asynccontextmanager
async def issuer_at(folder: Path, port: int) -> AsyncIterator[DevIssuer]:
    issuer = DevIssuer(folder, f"http://127.0.0.1:{port}")
    app = FastAPI()
    app.include_router(issuer_routes(issuer))
    async with serving(app, listen("127.0.0.1", port)):
        yield issuer


def content(path: str) -> bytes:
    """The bytes of an object: some are small, some take several chunks."""
    seed = random.Random(path)
    return seed.randbytes(seed.choice([0, 100, 70_000, 1_500_000]))


async def rows(url: str, query: str) -> list[Any]:
    engine = create_engine(url, application="test")
    try:
        async with engine.connect() as conn:
            return list((await conn.execute(sa.text(query))).all())
    finally:
        await engine.dispose()


async def test_every_object_is_there_once_and_told_once(
    tmp_path: Path, make_database: Any, amqp_url: str, free_port: Callable[[], int]
) -> None:
    seed = int(os.environ.get("INDIGO_TEST_SEED", random.randrange(2**32)))
    print(f"INDIGO_TEST_SEED={seed}")
    chance = random.Random(seed)
    database, port, issuer_port = await make_database("kill"), free_port(), free_port()
    (tmp_path / "mounts.toml").write_text(MOUNTS.format(far=tmp_path / "far"))
    (tmp_path / "rules.toml").write_text(RULES)
    (tmp_path / "key").mkdir()
    gateway = Gateway(
        tmp_path,
        port,
        {
            "DATABASE_URL": database,
            "AMQP_URL": amqp_url,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "PORT": str(port),
            "SECRET_KEY": "a key for tests only",
            "REPOSITORY_URL": "http://127.0.0.1:9",
            "TRUSTED_ISSUERS": json.dumps([f"http://127.0.0.1:{issuer_port}"]),
            "POSIX_DISK_DIR": str(tmp_path / "disk"),
            "POSIX_TAPE_DIR": str(tmp_path / "tape"),
            "MOUNTS_FILE": str(tmp_path / "mounts.toml"),
            "RULES_FILE": str(tmp_path / "rules.toml"),
            "POLLING_INTERVAL": "PT0.2S",
        },
    )
    assert await asyncio.to_thread(gateway.run("migrate").wait, 60) == 0
    targets = {f"/box/{n}": "far.DiskOnly" for n in range(OBJECTS // 2)}
    targets |= {f"/far/box/{n}": "posix.DiskOnly" for n in range(OBJECTS // 2)}
    async with issuer_at(tmp_path / "key", issuer_port) as issuer, httpx.AsyncClient(trust_env=False) as http:
        token = issuer.token("ana", ["qos:change"], audience="indigo")
        headers = {"authorization": f"Bearer {token}"}
        await asyncio.to_thread(gateway.start)
        try:
            identifiers = await store(http, gateway.url, headers, list(targets))
            for path, target in targets.items():
                asked = await http.post(
                    f"{gateway.url}/api/transitions",
                    json={"path": path, "target_class": target},
                    headers=headers | {"idempotency-key": path},
                )
                assert asked.status_code == 202, asked.text
            for _ in range(KILLS):
                await asyncio.sleep(chance.uniform(*SECONDS))
                await asyncio.to_thread(gateway.kill)
                engine = create_engine(database, application="test")
                await free_leases(engine)  # no process is left that could have one
                await engine.dispose()
                await asyncio.to_thread(gateway.start)
                for path in chance.sample(sorted(targets), 5):
                    await check_read(http, gateway.url, headers, path)
            interrupted = await rows(database, "SELECT 1 FROM transitions WHERE state IN ('SUBMITTED', 'STARTED')")
            print(f"{len(interrupted)} of {OBJECTS} transitions were not over at the last restart")
            await ended(database)
            await check(http, gateway.url, headers, targets, identifiers)
        finally:
            await asyncio.to_thread(gateway.stop)
    told = Counter(
        (json.loads(row.body)["data"]["transition"]["transition_id"], row.fact.split(".")[2])
        for row in await rows(database, "SELECT fact, body FROM outbox")
    )
    assert set(told.values()) == {1}
    over = await rows(database, "SELECT id, state, error FROM transitions")
    assert len(over) == OBJECTS
    for row in over:
        assert row.state == "COMPLETED" or (row.state == "FAILED" and row.error)
        assert told[row.id, row.state.lower()] == 1
    assert Counter(row.state for row in over)["COMPLETED"] == OBJECTS
    assert await rows(database, "SELECT * FROM relocations") == []
    assert really_there(tmp_path) == Counter(hashlib.sha256(content(path)).hexdigest() for path in targets)


async def store(http: httpx.AsyncClient, url: str, headers: dict[str, str], paths: list[str]) -> dict[str, str]:
    found = {}
    for path in paths:
        answer = await http.put(url + path, content=content(path), headers=headers | {"content-type": "text/x"})
        assert answer.status_code == 201, answer.text
        found[path] = (await http.get(url + path)).json()["objectID"]
    return found


async def check_read(http: httpx.AsyncClient, url: str, headers: dict[str, str], path: str) -> None:
    """Whatever was interrupted: the object can be read, and has the right bytes."""
    answer = await http.get(url + path, headers=headers | {"accept": "text/x"})
    assert answer.status_code == 200, answer.text
    assert hashlib.sha256(answer.content).digest() == hashlib.sha256(content(path)).digest()


async def ended(database: str) -> None:
    """Wait until no transition is under way and no job is left."""
    deadline = time.monotonic() + PATIENCE
    while left := await rows(
        database,
        "SELECT id FROM transitions WHERE state IN ('SUBMITTED', 'STARTED') UNION ALL SELECT id FROM jobs",
    ):
        assert time.monotonic() < deadline, f"{len(left)} transitions and jobs do not end"
        await asyncio.sleep(0.2)


async def check(
    http: httpx.AsyncClient,
    url: str,
    headers: dict[str, str],
    targets: dict[str, str],
    identifiers: dict[str, str],
) -> None:
    for path, target in targets.items():
        shown = (await http.get(url + path)).json()
        assert shown["objectID"] == identifiers[path]
        assert shown["capabilitiesURI"] == f"/cdmi_capabilities/dataobject/{target}"
        await check_read(http, url, headers, path)
    for container in ("/box", "/far/box"):
        names = (await http.get(url + container)).json()["children"]
        assert names == sorted(path.rpartition("/")[2] for path in targets if path.rpartition("/")[0] == container)


def really_there(folder: Path) -> Counter[str]:
    """How often each content is in the two back-ends, by checksum."""
    files = [each for disk in (folder / "disk", folder / "far/disk") for each in disk.rglob("*")]
    return Counter(
        hashlib.sha256(each.read_bytes()).hexdigest()
        for each in files
        if each.is_file() and ".indigo" not in each.parts
    )
