"""As root, gives up root before the sandbox starts: runs bubblewrap as an account nobody else has.

Root's processes are exempt from RLIMIT_NPROC and are root towards every file, in a user namespace too. This
program, run as a file by the service's own Python (standard library only), enters a private mount
namespace, makes the mount sources reachable for any account under ``STAGE`` (the originals may lie below
a directory like ``/root``), changes to the given account, and becomes the given command.

Argument: JSON ``{"account": number, "sources": [path, ...], "command": [...]}``; source *n* appears at
``STAGE/n``.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
from pathlib import Path

STAGE = "/mnt"
"""Covered in the private mount namespace only."""

# linux/sched.h and linux/mount.h
_CLONE_NEWNS = 0x00020000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV = 1, 2, 4
_MS_REC, _MS_BIND, _MS_PRIVATE = 0x4000, 0x1000, 1 << 18


def _check(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{doing}: {os.strerror(number)}")


def _stage(libc: ctypes.CDLL, sources: list[str]) -> None:
    _check(libc.unshare(_CLONE_NEWNS), "a private mount namespace")
    _check(libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "private mounts")
    descriptors = [os.open(source, os.O_PATH) for source in sources]  # before a source below STAGE is covered
    _check(libc.mount(b"stage", STAGE.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, b"mode=0755,size=1m"), STAGE)
    for number, descriptor in enumerate(descriptors):
        origin = f"/proc/self/fd/{descriptor}"
        place = Path(STAGE, str(number))
        if Path(origin).is_dir():
            place.mkdir()
        else:
            place.touch()
        _check(libc.mount(origin.encode(), bytes(place), None, _MS_BIND, None), sources[number])
        os.close(descriptor)


def main() -> None:
    """Never returns: the process becomes the command or ends with an exception."""
    order = json.loads(sys.argv[1])
    _stage(ctypes.CDLL(None, use_errno=True), order["sources"])
    account = order["account"]
    os.setgroups([])
    os.setresgid(account, account, account)
    os.setresuid(account, account, account)
    os.execv(order["command"][0], order["command"])  # noqa: S606 - an argument list of our own


if __name__ == "__main__":
    main()
