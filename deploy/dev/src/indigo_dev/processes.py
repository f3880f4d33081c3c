"""What the private servers share: one owner for a directory, and an end for what an owner left behind."""

from __future__ import annotations

import fcntl
import os
import random
import signal
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil


class ServerError(Exception):
    """A private server cannot be had; the message is a sentence for the person who asked."""


class DirectoryBusyError(ServerError):
    """Another live process owns the directory."""


class DirectoryLock:
    """An exclusive lock on a directory, held by this process and let go by the kernel when the process ends.

    The descriptor is not inherited, so a server that outlives its parent does not keep the lock.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / "owner.lock"
        self._descriptor: int | None = None

    def acquire(self) -> None:
        """Take the lock. Raises ``DirectoryBusyError`` naming the owner when somebody else has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            owner = os.read(descriptor, 32).decode() or "unknown"
            os.close(descriptor)
            raise DirectoryBusyError(
                f"{self._path.parent} is in use by process {owner}: stop it, or choose another directory."
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, str(os.getpid()).encode())
        self._descriptor = descriptor

    def release(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


_PORTS = range(15_000, 32_000)
"""Below those a system gives to outgoing connections, which would take one before its server does."""


def free_port(count: int = 1) -> int:
    """A TCP port of 127.0.0.1 nobody uses now, the first of ``count`` neighboring ones. Raises ``ServerError``."""
    for _ in range(200):
        first = random.choice(_PORTS)  # noqa: S311 - so that those who look at the same time find different ones
        if all(_is_unused(first + offset) for offset in range(count)):
            return first
    raise ServerError(f"no {count} neighboring ports are free")


def _is_unused(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def port_is_free(port: int) -> bool:
    """Whether a server may bind ``port`` on 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def running_in(directory: Path, program: str) -> list[psutil.Process]:
    """The processes called ``program`` whose working directory is ``directory``, oldest first.

    A recorded process id alone proves nothing: after a crash or in a new container it may name a stranger.
    """
    # cwd is None for a process of somebody else, which is none of ours.
    found = [
        process
        for process in psutil.process_iter(["name", "cwd", "create_time"])
        if process.info["name"] == program and process.info["cwd"] == str(directory)
    ]
    return sorted(found, key=lambda process: float(process.info["create_time"]))


def signal_all(processes: Iterable[psutil.Process], number: int) -> None:
    """Send a signal to each process that is still there."""
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.send_signal(number)


def end(processes: Iterable[psutil.Process], *, grace: float) -> None:
    """Wait ``grace`` seconds for processes already asked to end, then SIGKILL the rest and wait for them."""
    _, alive = psutil.wait_procs(list(processes), timeout=grace)
    signal_all(alive, signal.SIGKILL)
    psutil.wait_procs(alive, timeout=10)


def tail(path: Path, lines: int = 15) -> str:
    """The last lines of a log, or the sentence that there is none."""
    if not path.exists():
        return f"({path} was not written)"
    return "\n".join(path.read_text(errors="replace").splitlines()[-lines:])


class Deadline:
    """A number of seconds from now, on the monotonic clock."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    def passed(self) -> bool:
        return time.monotonic() >= self._end
