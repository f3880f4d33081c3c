"""mmlsattr, mmchattr and mmlspool over a directory: the pool of a file is its attribute ``user.fake.pool``."""

# ruff: noqa: T201, PTH110 - a program prints, and works on names it was given as text
from __future__ import annotations

import os
import sys
from pathlib import Path

POOLS = ("system", "capacity", "archive")


def attribute(path: str, name: str, usual: str) -> str:
    try:
        return os.getxattr(path, name).decode()
    except OSError:
        return usual


def mmlsattr(path: str) -> int:
    if not os.path.exists(path):
        print(f"mmlsattr: {path}: No such file or directory", file=sys.stderr)
        return 1
    print(f"file name:            {path}")
    print("metadata replication: 2 max 2", "data replication:     1 max 2", sep="\n")
    print("immutable:            no", "appendOnly:           no", sep="\n")
    print(f"flags:                {attribute(path, 'user.fake.flags', '')}")
    print(f"storage pool name:    {attribute(path, 'user.fake.pool', 'system')}")
    print("fileset name:         root\nsnapshot name:        \ncreation time:        Wed Mar  9 10:08:00 2022")
    print(f"Misc attributes:      {attribute(path, 'user.fake.misc', 'ARCHIVE')}\nEncrypted:            no")
    return 0


def mmchattr(arguments: list[str]) -> int:
    pool, path = arguments[arguments.index("-P") + 1], arguments[-1]
    if pool not in POOLS:
        print(f"mmchattr: Storage pool {pool} was not found.", file=sys.stderr)
        return 1
    os.setxattr(path, "user.fake.pool", pool.encode())
    return 0


def mmlspool(name: str) -> int:
    print(f"Storage pools in file system at '/ibm/{name}':")
    print(
        "Name                    Id   BlkSize Data Meta Total Data in (KB)   Free Data in (KB)"
        "   Total Meta in (KB)    Free Meta in (KB)"
    )
    for number, pool in enumerate(POOLS):
        meta = "yes" if pool == "system" else " no"
        print(
            f"{pool:<20} {number * 65537:>5}      4 MB  yes  {meta}        5242880        1118208 ( 21%)"
            "        5242880        1171456 ( 22%)"
        )
    return 0


def main(program: str, state: Path, arguments: list[str]) -> int:
    if (state / "broken").exists():
        print((state / "broken").read_text(), file=sys.stderr)
        return 1
    if program == "mmlsattr":
        return mmlsattr(arguments[-1])
    return mmchattr(arguments) if program == "mmchattr" else mmlspool(arguments[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
