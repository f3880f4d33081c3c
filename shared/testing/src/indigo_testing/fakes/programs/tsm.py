"""dsmls, dsmmigrate and dsmrecall over a directory, with a library of tapes in the state directory.

A file's attribute ``user.fake.copy`` names its copy; a file that is migrated is a sparse stub. Each copy is on a
tape, at a place; the drive, of which there is one, notes every mount and every move of the tape in ``drive.log``.
"""

# ruff: noqa: T201, PTH105, PTH112, PTH116, PTH119, PTH123 - a program prints, and works on names it was given as text
from __future__ import annotations

import os
import sys
from pathlib import Path

BANNER = """\
IBM Tivoli Storage Manager
Command Line Space Management Client Interface
  Client Version 7, Release 1, Level 6.0
  Client date/time: 03/21/16 12:57:45
(c) Copyright by IBM Corporation and other(s) 1990, 2016. All Rights Reserved.
"""
COPY, STUB = "user.fake.copy", "user.fake.stub"


class Library:
    """Copies ``<number>.<tape>``: their numbers are their places. Tapes are filled in turns."""

    def __init__(self, state: Path) -> None:
        self.copies = state / "copies"
        self.copies.mkdir(exist_ok=True)
        self.state = state
        self.tapes = int((state / "tapes").read_text()) if (state / "tapes").exists() else 3
        self.mounted, self.at = self.where()

    def where(self) -> tuple[str, int]:
        """The tape in the drive, which stays there until another is needed, and the place it is at."""
        drive = self.state / "drive"
        tape, _, place = drive.read_text().partition(" ") if drive.exists() else ("", "", "0")
        return tape, int(place)

    def store(self, data: bytes) -> str:
        number = len(list(self.copies.iterdir()))
        name = f"{number:06d}.T{number % self.tapes:05d}"
        (self.copies / name).write_bytes(data)
        return name

    def load(self, name: str) -> bytes:
        place, _, tape = name.partition(".")
        with (self.state / "drive.log").open("a") as log:
            if tape != self.mounted:
                print("mount", tape, file=log)
                self.mounted, self.at = tape, 0
            print("seek", abs(int(place) - self.at), file=log)
        self.at = int(place)
        (self.state / "drive").write_text(f"{self.mounted} {self.at}")
        return (self.copies / name).read_bytes()


def attribute(path: str, name: str) -> str:
    try:
        return os.getxattr(path, name).decode()
    except OSError:
        return ""


def state_of(path: str) -> str:
    if os.path.isdir(path):
        return "-"
    if not attribute(path, COPY):
        return "r"
    return "m" if attribute(path, STUB) else "p"


def names(arguments: list[str]) -> list[str]:
    listed = [each.partition("=")[2] for each in arguments if each.lower().startswith("-filelist=")]
    if not listed:
        return [each for each in arguments if not each.startswith("-")]
    return [line.strip().strip('"') for line in Path(listed[0]).read_text().splitlines() if line.strip()]


def dsmls(paths: list[str]) -> int:
    print("      ActS       ResS       ResB   FSt   FName\n")
    code = 0
    for path in paths:
        if not os.path.lexists(path):
            print(f"ANS9250E File not found: {path}", file=sys.stderr)
            code = 8
            continue
        info = os.stat(path)
        state = state_of(path)
        resident = 0 if state == "m" else info.st_size
        print(
            f"{info.st_size:>10} {resident:>10} {-(-resident // 1024):>10}   {state}     {os.path.basename(path)}"
        )
    return code


def dsmmigrate(library: Library, paths: list[str], *, keep: bool) -> int:
    for path in paths:
        if state_of(path) == "r":
            os.setxattr(path, COPY, library.store(Path(path).read_bytes()).encode())
        if not keep and state_of(path) == "p":
            make_stub(library, path)
    return 0


def make_stub(library: Library, path: str) -> None:
    """Take the bytes from disk. Whoever has the file open still reads them, as through a recall."""
    info = os.stat(path)
    stub = str(library.state / f"stub-{os.getpid()}")
    with open(stub, "wb") as file:
        file.truncate(info.st_size)
    for name in os.listxattr(path):
        os.setxattr(stub, name, os.getxattr(path, name))
    os.setxattr(stub, STUB, b"1")
    os.utime(stub, ns=(info.st_atime_ns, info.st_mtime_ns))
    os.replace(stub, path)


def recall(library: Library, path: str) -> None:
    if state_of(path) != "m":
        return
    info = os.stat(path)
    Path(path).write_bytes(library.load(attribute(path, COPY)))
    os.removexattr(path, STUB)
    os.utime(path, ns=(info.st_atime_ns, info.st_mtime_ns))


def prepare(library: Library, paths: list[str]) -> int:
    """``dsmrecall -p``: a list of lists, one for each tape, in the order of the copies on it."""
    tapes: dict[str, list[tuple[str, str]]] = {}
    for path in paths:
        copy = attribute(path, COPY)
        if copy and state_of(path) == "m":
            tapes.setdefault(copy.partition(".")[2], []).append((copy, path))
    collection = library.state / f"collection-{os.getpid()}"
    with collection.open("w") as lists:
        for number, (tape, found) in enumerate(sorted(tapes.items())):
            ordered = library.state / f"tape-{os.getpid()}-{number}"
            ordered.write_text("".join(f"{copy} 0 0 {path}\n" for copy, path in sorted(found)))
            print(tape, len(found), ordered, file=lists)
    print(f"Output collection list created successfully: {collection}")
    return 0


def dsmrecall(library: Library, arguments: list[str]) -> int:
    listed = next(each.partition("=")[2] for each in arguments if each.lower().startswith("-filelist="))
    if "-p" in arguments:
        return prepare(library, names(arguments))
    if not Path(listed).name.startswith("collection-"):
        for path in names(arguments):
            recall(library, path)
        return 0
    code = 0
    for line in Path(listed).read_text().splitlines():
        for entry in Path(line.split()[2]).read_text().splitlines():
            path = entry.split(" ", 3)[3]
            try:
                recall(library, path)
            except FileNotFoundError:
                print(f"ANS9999E no copy of {path} can be read", file=sys.stderr)
                code = 8
    return code


def main(program: str, state: Path, arguments: list[str]) -> int:
    library = Library(state)
    print(BANNER)
    if (state / "broken").exists():
        print((state / "broken").read_text(), file=sys.stderr)
        return 12
    if program == "dsmls":
        return dsmls(names(arguments))
    if program == "dsmmigrate":
        return dsmmigrate(library, names(arguments), keep="-Premigrate" in arguments)
    return dsmrecall(library, arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), sys.argv[3:]))
