"""The storage gateway: an object's QoS against bare FastAPI, a long listing by ranges, many transitions against copying.

``python tests/bench/qos_gateway.py 1000`` does the last one with 1,000 objects.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import httpx
import uvloop
from indigo_dev.postgres import EmbeddedPostgres
from indigo_kernel.auth.issuer import DevIssuer
from indigo_kernel.auth.tokens import TokenVerifier
from indigo_kernel.bus.memory import MemoryBus
from indigo_kernel.clock import SystemClock
from indigo_kernel.db import migrate
from indigo_kernel.http.server import started
from indigo_kernel.logging import configure_logging
from indigo_qos_gateway.bootstrap import MIGRATIONS, build
from indigo_qos_gateway.settings import Settings
from load import cpu_per_request, server

OBJECTS = 100_000
PAGE = 100
TRANSITIONS = 10_000
SIZES = (4096, 65536)
BUSY = 32
"""Requests at a time on a busy server."""
ROUNDS = 3


@dataclass
class Place:
    """Where the storage and the database of a benchmark are."""

    folder: Path
    database_url: str

    @property
    def disk(self) -> Path:
        return self.folder / "disk"

    def settings(self) -> Settings:
        return Settings(
            database_url=self.database_url,
            public_url="http://127.0.0.1",
            secret_key="a key for benchmarks only",
            repository_url="http://127.0.0.1:9",
            posix_disk_dir=self.disk,
            posix_tape_dir=self.folder / "tape",
            batch_targets=100_000,
        )


@asynccontextmanager
async def _gateway(place: Place) -> AsyncIterator[httpx.AsyncClient]:
    clock = SystemClock()
    issuer = DevIssuer(place.folder, "https://issuer.example.org", clock=clock)
    runtime = build(
        place.settings(),
        clock=clock,
        bus=MemoryBus(clock=clock),
        verifier=TokenVerifier([issuer.trusted()], "indigo", clock),
    )
    await migrate.upgrade(runtime.database.engine, MIGRATIONS)
    await runtime.start()
    await runtime.consume()
    started()
    auth = {"authorization": f"Bearer {issuer.token('bench', ['qos:change'])}"}
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(runtime.api), base_url="http://127.0.0.1", headers=auth, timeout=600
    ) as http:
        yield http
    await runtime.stop()


def _fill(directory: Path, count: int, data: bytes) -> None:
    directory.mkdir(parents=True)
    for number in range(count):
        (directory / f"f{number:06}").write_bytes(data)
    os.sync()  # neither side writes what the other one left to be written


async def _listing(place: Place) -> list[tuple[str, str]]:
    """The first page of a long container, for which it is read, and pages anywhere in it: the best of five."""
    os.utime(place.disk / "many", (0, 0))  # what has just changed is read for every page
    times = []
    async with _gateway(place) as http:
        await http.get("/?children")
        for first, count in ((0, 1), (0, 5), (OBJECTS // 2, 5), (OBJECTS - PAGE, 5)):
            runs = []
            for _ in range(count):
                began = time.perf_counter()
                answer = await http.get(f"/many?childrenrange;children:{first}-{first + PAGE - 1}")
                runs.append(time.perf_counter() - began)
                if len(answer.json()["children"]) != PAGE:
                    raise RuntimeError(answer.text)
            times.append(min(runs))
    cold, start, middle, end = (f"{each * 1000:.1f} ms" for each in times)
    return [
        (f"page of {PAGE} out of {OBJECTS:,} objects: the first one", cold),
        ("the same at the start, in the middle and at the end, from then on", f"{start}, {middle}, {end}"),
    ]


@dataclass
class Round:
    """Seconds for the same bytes: until a bulk request was accepted and done, and by the loop.

    The loop reads what is in memory, or from the disk, as the gateway does.
    """

    accepted: float
    done: float
    cpu: float
    from_memory: float
    from_disk: float


def _transitions(place: Place, count: int, size: int) -> list[tuple[str, str]]:
    """A second copy made by bulk transitions, and by a loop that copies, syncs and checks nothing.

    The least of two rounds counts for each: the machine may be faster at one time than at another.
    """
    rounds = [uvloop.run(_round(place, count, size, number)) for number in range(2)]
    done, disk, memory = (
        min(getattr(each, kind) for each in rounds) for kind in ("done", "from_disk", "from_memory")
    )
    what = f"{count:,} files of {size} bytes by a loop that copies and syncs"
    cpu = min(each.cpu for each in rounds)
    return [
        (
            f"{count:,} bulk transitions of {size} bytes: accepted",
            f"{min(each.accepted for each in rounds):.2f} s",
        ),
        (
            f"{count:,} bulk transitions of {size} bytes: copied, checked, told",
            f"{done:.1f} s, {done / count * 1000:.2f} ms each, {cpu / count * 1e6:.0f} µs CPU beside PostgreSQL's and the movers'",
        ),
        (f"{what}, read from the disk too", f"{disk:.1f} s: {done / disk:.2f}x"),
        (f"{what}, just written", f"{memory:.1f} s: {done / memory:.2f}x"),
    ]


async def _round(place: Place, count: int, size: int, number: int) -> Round:
    source, target = place.disk / f"files-{size}-{number}", place.folder / f"copies-{size}-{number}"
    _fill(source, count, b"x" * size)
    names = sorted(path.name for path in source.iterdir())
    from_memory = _copy_loop(source, target / "memory", names)
    for name in names:
        with (source / name).open("rb") as file:
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    from_disk = _copy_loop(source, target / "disk", names)
    body = {"targets": [f"/{source.name}/{name}" for name in names], "target_class": "DiskAndTape"}
    os.sync()
    async with _gateway(place) as http:
        began, busy = time.perf_counter(), time.process_time()
        asked = await http.post("/api/transitions/bulk", json=body, headers={"idempotency-key": source.name})
        accepted = time.perf_counter() - began
        if asked.status_code != httpx.codes.ACCEPTED:
            raise RuntimeError(asked.text)
        url = f"/api/transitions/bulk/{asked.json()['id']}"
        while (state := (await http.get(url)).json())["finished_at"] is None:
            # Who asks takes time from who works: the end is what has to be seen in time.
            await asyncio.sleep(0.5 if state["counts"].get("COMPLETED", 0) < 0.9 * count else 0.05)
        done, cpu = time.perf_counter() - began, time.process_time() - busy
    if state["counts"]["COMPLETED"] != count:
        raise RuntimeError(str(state))
    return Round(accepted, done, cpu, from_memory, from_disk)


def _copy_loop(source: Path, target: Path, names: list[str]) -> float:
    target.mkdir(parents=True)
    os.sync()
    began = time.perf_counter()
    for name in names:
        shutil.copy2(source / name, target / name)
        fd = os.open(target / name, os.O_RDONLY)
        os.fsync(fd)
        os.close(fd)
    return time.perf_counter() - began


def _requests(place: Place) -> list[tuple[str, str]]:
    """CPU time of the server with eight requests at a time, against bare FastAPI with uvicorn's access log and without.

    And with many more, and with one. All servers run, and are asked in turns; the least of three rounds counts.
    """
    settings = place.settings().model_dump_json()
    with (
        server("http_server.py", "bare") as bare,
        server("http_server.py", "quiet") as quiet,
        server("qos_server.py", settings, place.database_url) as ours,
    ):
        strict = "x-cdmi-specification-version: 1.1.1\r\naccept: application/cdmi-object\r\n"
        asked = {
            "bare": partial(cpu_per_request, *bare, "/item"),
            "busy bare": partial(cpu_per_request, *bare, "/item", connections=BUSY),
            "idle bare": partial(cpu_per_request, *bare, "/item", connections=1, count=2000),
            "quiet": partial(cpu_per_request, *quiet, "/item"),
            "now": partial(cpu_per_request, *ours, "/many/f000000"),
            "busy": partial(cpu_per_request, *ours, "/many/f000000", connections=BUSY),
            "idle": partial(cpu_per_request, *ours, "/many/f000000", connections=1, count=2000),
            "class": partial(cpu_per_request, *ours, "/many/f000000?capabilitiesURI"),
            "strict": partial(cpu_per_request, *ours, "/many/f000000?metadata", headers=strict),
        }
        rounds = [{name: ask() for name, ask in asked.items()} for _ in range(ROUNDS)]
    cost = {name: min(each[name] for each in rounds) for name in asked}

    def compared(name: str) -> str:
        ratio, of_quiet = cost[name] / cost["bare"], cost[name] / cost["quiet"]
        return f"{cost[name]:.0f} µs CPU, {ratio:.1f}x ({of_quiet:.1f}x without uvicorn's access log)"

    return [
        (
            "typed item, bare FastAPI with uvicorn's access log, and without",
            f"{cost['bare']:.0f}, {cost['quiet']:.0f} µs CPU",
        ),
        ("QoS of an object as it is now, from storage and database", compared("now")),
        (
            f"the same, {BUSY} requests at a time",
            f"{cost['busy']:.0f} µs CPU, {cost['busy'] / cost['busy bare']:.1f}x",
        ),
        (
            "the same, one request at a time",
            f"{cost['idle']:.0f} µs CPU, {cost['idle'] / cost['idle bare']:.1f}x",
        ),
        ("its class alone", compared("class")),
        ("its metadata in strict CDMI", compared("strict")),
    ]


def run(count: int = TRANSITIONS) -> list[tuple[str, str]]:
    configure_logging(service="kernel", level="error")
    with tempfile.TemporaryDirectory(prefix="indigo-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with EmbeddedPostgres(folder / "pg", durable=False) as postgres:
            asyncio.run(postgres.ensure_databases(["bench"]))
            place = Place(folder, postgres.database_url("bench"))
            _fill(place.disk / "many", OBJECTS, b"")
            listing = uvloop.run(_listing(place))
            transitions = [_transitions(place, count, size) for size in SIZES]
            return [*_requests(place), *listing, *chain.from_iterable(transitions)]


if __name__ == "__main__":
    for what, figure in run(int(sys.argv[1]) if len(sys.argv) > 1 else TRANSITIONS):
        print(f"{what:<90} {figure}")
