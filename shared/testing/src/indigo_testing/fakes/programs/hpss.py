"""hsi over a directory: a file's levels are its attribute ``user.fake.levels``, of the letters d and t."""
# ruff: noqa: T201, PTH103 - a program prints

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

HEADER = """\
Storage   VV   Stripe
 Level   Count  Width  Bytes at Level
----------------------------------------------------------------------------"""


class Hpss:
    """The files below ``root``; everything is said on the standard error."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def at(self, name: str) -> Path:
        return self.root / name.strip("/")

    def levels(self, path: Path) -> str:
        try:
            return os.getxattr(path, "user.fake.levels").decode()
        except OSError:
            return "d"

    def set_levels(self, name: str, change: Callable[[str], str]) -> None:
        path = self.at(name)
        os.setxattr(path, "user.fake.levels", change(self.levels(path)).encode())

    def ls(self, option: str, name: str) -> None:
        path = self.at(name)
        if not path.exists():
            say(f"*** hpss_Lstat: No such file or directory [-2: HPSS_ENOENT] {name}")
            raise SystemExit(64)
        above = name.rpartition("/")[0]
        say(f"{name if path.is_dir() else above}:")
        for each in sorted(path.iterdir()) if path.is_dir() else [path]:
            self.line(each)
            if option == "-V" and each.is_file():
                self.details(each)

    def line(self, path: Path) -> None:
        if path.is_dir():
            say(f"drwx------    2 User.ID  grp                   512 Mar 20  2016 {path.name}")
            return
        media = "DISK" if "d" in self.levels(path) else "TAPE"
        size = path.stat().st_size
        say(f"-rw-------    1 User.ID  grp           5         1234 {media} {size:>13} Mar 20  2016 {path.name}")

    def details(self, path: Path) -> None:
        say(HEADER)
        size = path.stat().st_size
        for number, (letter, kind) in enumerate((("d", "disk"), ("t", "tape"))):
            if letter in self.levels(path):
                say(f" {number} ({kind})   1       1  {size}")
                say("  VV[ 0]:   Object ID: 8c0772a0-8552-11e4-af76-0002559ae41b")
                say("            ServerDep: 7d72478a-bb87-11d6-9419-0002559ae41b")
        if "t" in self.levels(path):
            say("  Pos:    121+0   PV List: N0998300")

    def run(self, words: list[str]) -> None:
        match words:
            case ["ls", option, name]:
                self.ls(option, name)
            case ["put", local, ":", name]:
                shutil.copyfile(local, self.at(name))
            case ["get", local, ":", name]:
                shutil.copyfile(self.at(name), local)
            case ["mkdir", name]:
                self.at(name).mkdir()
            case ["mv", source, target]:
                self.at(source).replace(self.at(target))
            case ["rm", "-R", name]:
                shutil.rmtree(self.at(name))
            case ["rm", name]:
                self.at(name).unlink()
            case ["migrate", name]:
                self.set_levels(name, lambda levels: "".join(sorted({*levels, "t"})))
            case ["purge", name]:
                self.set_levels(name, lambda levels: levels.replace("d", ""))
            case ["stage", "-w", name]:
                self.set_levels(name, lambda levels: "".join(sorted({*levels, "d"})))
            case _:
                say(f"*** unknown command: {words}")
                raise SystemExit(1)


def say(line: str) -> None:
    print(line, file=sys.stderr)


def main(state: Path, arguments: list[str]) -> None:
    if (state / "broken").exists():
        say((state / "broken").read_text())
        raise SystemExit(1)
    root = state / "hpss"
    os.makedirs(root / "base", exist_ok=True)
    Hpss(root).run(shlex.split(arguments[-1]))


if __name__ == "__main__":
    main(Path(sys.argv[2]), sys.argv[3:])
