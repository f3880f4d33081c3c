"""Run as a program: changes a file in a child process that is killed at its n-th file operation, for every n.

Prints one line of JSON: how many points each change had, and what was wrong after a kill.
"""

import asyncio
import json
import os
import shutil
import signal
import sys
from concurrent.futures import Future
from pathlib import Path

from indigo_qos_gateway.adapters.classes import NAMES, Place
from indigo_qos_gateway.adapters.posix.backend import PosixBackend
from indigo_qos_gateway.adapters.posix.drives import Step
from indigo_qos_gateway.domain.arrival import Arrived

WATCHED = {
    "open", "os.link", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.truncate", "os.setxattr",
    "os.removexattr", "os.utime", "os.chmod",
}  # fmt: skip
BOTH = ("/box/file", "/box/other")
OLD, NEW = b"old bytes " * 9000, b"the new ones " * 7000


def backend(base):
    return PosixBackend("posix", base / "disk", base / "tape", Place())


async def chunks(data):
    yield data


async def bring(storage, target, path="/box/file"):
    handle = await storage.start(path, target)
    progress = await storage.poll(path, handle, 30)
    assert progress.state == "done", progress


async def prepare(base, name):
    storage = backend(base)
    for path in BOTH:
        await storage.write(path, chunks(OLD))
        await bring(storage, name, path)


async def content(storage, path="/box/file"):
    if (await storage.status(path)).storage_class == "TapeOnly":
        await bring(storage, "DiskAndTape", path)
    return b"".join([chunk async for chunk in storage.read(path)])


def change(base, what):
    """The change itself, without event loop or threads: a kill hits exactly one operation."""
    storage = backend(base)
    storage._tree.prepare()
    if what in NAMES:
        # two of them, which go together where they can
        steps = [Step(path, path, what, Future()) for path in BOTH]
        storage._groups.bring(steps, lambda _: None)
        assert all(isinstance(step.end, Arrived) for step in steps), steps
    elif what == "delete":
        storage._files._delete("/box/file")
    else:
        with storage._tree.draft() as (draft, fd):
            os.write(fd, NEW)
            storage._files._put(draft, fd, "/box/file")


def child(base, what, point):
    count = 0

    def hook(event, arguments):
        nonlocal count
        # Reading modules is not a change; opening a path of ours is.
        if event in WATCHED and not (event == "open" and str(arguments[0]).endswith((".py", ".pyc"))):
            count += 1
            if count == point:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    change(base, what)
    os._exit(0)


async def verify(base, before, what):
    """What is wrong after the kill, after sweeping, and after the next try."""
    wrong = []
    storage = backend(base)
    names = [each.name for each in await storage.children("/box")]
    if "file" not in names and what == "delete":
        seen = None
    else:
        seen = (await storage.status("/box/file")).storage_class
        allowed = {before, what} if what in NAMES else {before} if what == "delete" else {before, "DiskOnly"}
        if seen not in allowed:
            wrong.append(f"it is at {seen}")
        await storage.digest("/box/file")
    if "other" not in names:
        wrong.append("the other one is gone")
    await storage.digest("/box/other")
    storage._tree.sweep(fresh_seconds=0)
    if leftovers := [path.name for path in storage._tree.work.iterdir()]:
        wrong.append(f"left behind: {leftovers}")
    if seen is not None:
        found = await content(storage)
        if found != OLD and not (what == "overwrite" and found == NEW):
            wrong.append(f"other bytes: {len(found)}")
    if await content(storage, "/box/other") != OLD:
        wrong.append("other bytes in the other one")
    await bring(storage, "DiskOnly", "/box/other")
    if what in NAMES:
        await bring(storage, what)
    elif what == "overwrite":
        await storage.write("/box/file", chunks(NEW))
    elif seen is not None:
        await storage.delete("/box/file")
    copies = len([path for path in (base / "tape").rglob("*") if path.is_file()])
    expected = 0 if what in {"DiskOnly", "delete", "overwrite"} else 1
    if copies != expected:
        wrong.append(f"{copies} copies on tape instead of {expected}")
    return wrong


def scenario(base, before, what):
    failures, point = [], 0
    while True:
        point += 1
        shutil.rmtree(base, ignore_errors=True)
        asyncio.run(prepare(base, before))
        pid = os.fork()
        if pid == 0:
            child(base, what, point)
        _, status = os.waitpid(pid, 0)
        if os.WIFEXITED(status) and os.WEXITSTATUS(status) != 0:
            failures.append([before, what, point, "it failed by itself"])
        failures += [[before, what, point, each] for each in asyncio.run(verify(base, before, what))]
        if os.WIFEXITED(status):
            return point - 1, failures


if __name__ == "__main__":
    directory = Path(sys.argv[1])
    points, failures = {}, []
    for before in NAMES:
        for what in (*NAMES, "overwrite", "delete"):
            if what != before:
                points[f"{before}->{what}"], found = scenario(directory, before, what)
                failures += found
    print(json.dumps({"points": points, "failures": failures}))
