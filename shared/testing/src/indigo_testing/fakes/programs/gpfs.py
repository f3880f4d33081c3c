"""mmlsattr, mmchattr, mmapplypolicy, mmlspool over a directory: a file's pool is its attribute ``user.fake.pool``.

Each policy run is a line in ``runs.log`` of the state directory: how many files were listed, chosen and moved.
"""

# ruff: noqa: T201, PTH110, PTH112, PTH116, PTH118 - a program prints, and works on names it was given as text
from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
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


RULE = re.compile(
    r"RULE '[^']*' MIGRATE(?: FROM POOL '[^']+')? TO POOL '(?P<pool>[^']+)'"
    r"(?: WHERE INODE IN \((?P<inodes>[0-9,]+)\))?"
)


def scanned(path: str) -> Iterator[str]:
    """A listed path, or everything below a listed directory."""
    if not os.path.isdir(path):
        yield path
    for above, _, names in os.walk(path):
        yield from (os.path.join(above, name) for name in names)


def mmapplypolicy(state: Path, arguments: list[str]) -> int:
    options = dict(zip(arguments[1::2], arguments[2::2], strict=True))
    rule = RULE.fullmatch(Path(options["-P"]).read_text().strip())
    if rule is None or rule["pool"] not in POOLS:
        print("[E:-1] Error while loading policy rules: PCSQLERR", file=sys.stderr)
        return 1
    wanted = {int(each) for each in (rule["inodes"] or "").split(",") if each}
    listed = [path for line in Path(options["-i"]).read_text().splitlines() for path in scanned(line)]
    there = [path for path in listed if os.path.lexists(path)]
    chosen = [path for path in there if not wanted or os.stat(path).st_ino in wanted]
    moved = 0
    for path in chosen if options["-I"] == "yes" else []:
        if attribute(path, "user.fake.immovable", ""):
            print(f"[E] Error on gpfs_fcntl({path}): Operation not permitted", file=sys.stderr)
            continue
        os.setxattr(path, "user.fake.pool", rule["pool"].encode())
        moved += 1
    with (state / "runs.log").open("a") as log:
        print(len(listed), len(chosen), moved, file=log)
    skipped = len(listed) - moved
    print(f"[I] A total of {moved} files have been migrated, deleted or processed; {skipped} 'skipped' files.")
    return 0 if moved == len(listed) else 1


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
    if program == "mmapplypolicy":
        return mmapplypolicy(state, arguments)
    return mmchattr(arguments) if program == "mmchattr" else mmlspool(arguments[0])


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
