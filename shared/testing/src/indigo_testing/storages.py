"""Storage systems a gateway can mount, each by what stands for it here, served and configured as a real one is."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from indigo_kernel.http.server import listen, serving
from starlette.types import ASGIApp

from indigo_testing.fakes.dcache import DCache
from indigo_testing.fakes.library import Library
from indigo_testing.fakes.onedata import OneDataSpace
from indigo_testing.fakes.programs import install
from indigo_testing.fakes.tape import Storm, TapeRest
from indigo_testing.object_stores import ceph_server, make_bucket, moto_server, write_keys

LOOK = 0.2
"""Seconds between looks at what was asked of a system."""


@dataclass(frozen=True, slots=True)
class Storage:
    """A system that runs.

    ``mount`` is its table in a file of mounts, without ``prefix`` and ``name``. ``landing`` is the class of a
    fresh object, ``other`` one it can be brought to, ``tape`` one that cannot be read at once. ``evict`` has the
    system itself take a file to tape, where nobody can ask for that.
    """

    mount: Mapping[str, Any]
    landing: str = "DiskOnly"
    other: str = "DiskAndTape"
    tape: str | None = "TapeOnly"
    evict: Callable[[str], None] | None = None

    def mounts_file(self, path: Path) -> Path:
        """Write the file of mounts that has this system at the root."""
        lines = ["[[mount]]", 'prefix = "/"', 'name = "storage"']
        # JSON's strings, numbers and booleans are TOML's; tables inside are written with dots.
        lines += [f"{key} = {json.dumps(value)}" for key, value in self.mount.items() if key != "classes"]
        for name, options in self.mount.get("classes", {}).items():
            lines += [f"classes.{name}.{key} = {json.dumps(value)}" for key, value in options.items()]
        path.write_text("\n".join(lines) + "\n")
        return path


Start = Callable[[Path], AbstractAsyncContextManager[Storage]]


@asynccontextmanager
async def _served(app: ASGIApp) -> AsyncIterator[str]:
    bound = listen("127.0.0.1", 0)
    async with serving(app, bound):
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _library(directory: Path, *, moves: bool) -> Library:
    (directory / "token").write_text("secret\n")
    library = Library(directory / "files", moves=moves)
    (directory / "files/vo").mkdir()
    return library


def _door(url: str, directory: Path) -> dict[str, Any]:
    return {"door_url": url, "base": "/vo", "token_file": str(directory / "token"), "look_seconds": LOOK}


def _evict(library: Library) -> Callable[[str], None]:
    def evict(path: str) -> None:
        flags = library.at("/vo" + path)
        assert flags is not None, path
        flags.disk, flags.tape, flags.pinned = False, True, False

    return evict


@asynccontextmanager
async def dcache(directory: Path) -> AsyncIterator[Storage]:
    async with _served(DCache(_library(directory, moves=False))) as url:
        yield Storage({"type": "dcache", "api_url": url + "/api/v1"} | _door(url, directory))


@asynccontextmanager
async def wlcg_tape(directory: Path) -> AsyncIterator[Storage]:
    async with _served(TapeRest(_library(directory, moves=True))) as url:
        yield Storage({"type": "wlcg-tape", "api_url": url + "/api/v1"} | _door(url, directory))


@asynccontextmanager
async def storm(directory: Path) -> AsyncIterator[Storage]:
    library = _library(directory, moves=True)
    async with _served(Storm(library, "secret")) as url:
        rest = {"rest_token_file": str(directory / "token"), "vo": "vo", "api_url": url + "/rest"}
        yield Storage({"type": "storm"} | rest | _door(url, directory), evict=_evict(library))


def _programs(directory: Path, script: str, *names: str) -> dict[str, Any]:
    (directory / "fs").mkdir()
    install(directory / "bin", script, names, directory / "state")
    return {"programs": str(directory / "bin"), "directory": str(directory / "fs")}


@asynccontextmanager
async def gemss(directory: Path) -> AsyncIterator[Storage]:
    programs = _programs(directory, "tsm.py", "dsmls", "dsmmigrate", "dsmrecall")
    yield Storage({"type": "gemss-tsm", "file_system": str(directory / "fs"), "look_seconds": LOOK} | programs)


@asynccontextmanager
async def gpfs(directory: Path) -> AsyncIterator[Storage]:
    programs = _programs(directory, "gpfs.py", "mmlsattr", "mmchattr", "mmlspool", "mmapplypolicy")
    classes = {"Fast": {"pool": "system"}, "Large": {"pool": "capacity"}}
    options = {
        "type": "gpfs",
        "look_seconds": LOOK,
        "file_system": "fs1",
        "landing_class": "Fast",
        "classes": classes,
    }
    yield Storage(options | programs, landing="Fast", other="Large", tape=None)


@asynccontextmanager
async def hpss(directory: Path) -> AsyncIterator[Storage]:
    programs = _programs(directory, "hpss.py", "hsi")["programs"]
    yield Storage({"type": "hpss", "base": "/base", "programs": programs, "look_seconds": LOOK})


@asynccontextmanager
async def onedata(directory: Path) -> AsyncIterator[Storage]:
    (directory / "token").write_text("secret\n")
    async with _served(OneDataSpace(directory / "space", "Space", "sp1")) as url:
        options = {
            "type": "onedata",
            "provider_url": url,
            "space": "Space",
            "space_id": "sp1",
            "token_file": str(directory / "token"),
            "landing_class": "Any",
            "look_seconds": LOOK,
            "classes": {"Two": {"expression": "anyStorage", "replicas": 2}},
        }
        yield Storage(options, landing="Any", other="Two", tape=None)


def _bucket(directory: Path, url: str, **more: Any) -> dict[str, Any]:
    write_keys(directory)
    keys = {"access_key_file": str(directory / "access"), "secret_key_file": str(directory / "secret")}
    return {"endpoint": url, "bucket": "bucket", "landing_class": "Warm"} | keys | more


@asynccontextmanager
async def s3(directory: Path) -> AsyncIterator[Storage]:
    classes = {
        "Warm": {"native": "STANDARD", "latency_ms": 50},
        "Cool": {"native": "STANDARD_IA", "latency_ms": 80},
        "Archive": {"native": "GLACIER", "archive": True, "latency_ms": 14_400_000},
    }
    with moto_server() as url:
        await make_bucket(url, "bucket")
        mount = _bucket(directory, url, type="s3", classes=classes, look_seconds=LOOK)
        yield Storage(mount, landing="Warm", other="Cool", tape="Archive")


@asynccontextmanager
async def ceph(directory: Path) -> AsyncIterator[Storage]:
    classes = {"Warm": {"native": "STANDARD"}, "Cold": {"native": "COLD"}}
    with ceph_server(directory / "ceph") as url:
        await make_bucket(url, "bucket")
        mount = _bucket(directory, url, type="ceph", classes=classes)
        yield Storage(mount, landing="Warm", other="Cold", tape=None)


STORAGES: Mapping[str, Start] = {
    "s3": s3,
    "dcache": dcache,
    "wlcg-tape": wlcg_tape,
    "storm": storm,
    "gemss": gemss,
    "gpfs": gpfs,
    "hpss": hpss,
    "onedata": onedata,
    "ceph": ceph,
}
"""Every back-end that is configured in a file of mounts, by the name of its test."""
