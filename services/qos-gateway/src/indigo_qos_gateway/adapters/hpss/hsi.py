"""HPSS through hsi, one command at a time: files, directories, and the levels of a class of service.

hsi writes what it finds to its standard error. It reads a command line of its own, with quotation marks for names
and patterns in them: names with characters that mean something there are refused.

Source: Gleicher Enterprises, HSI reference (put, get, ls, mkdir, mv, rm, stage, migrate, purge); NOAA's pages for
the output of ``ls -V``.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from indigo_kernel.problems import BadRequest, Conflict, Unavailable

from indigo_qos_gateway.adapters.commands import Commands
from indigo_qos_gateway.adapters.hsm.files import Entry
from indigo_qos_gateway.adapters.posix.tape import CHUNK
from indigo_qos_gateway.adapters.spool import Spool
from indigo_qos_gateway.adapters.threads import settled
from indigo_qos_gateway.domain.errors import ObjectNotFound
from indigo_qos_gateway.domain.paths import ROOT, name, parent

_SPECIAL = frozenset("\"'\\`$*?[]{}~;|<>&!#")
_LONG = 24 * 3600.0
_LINE = re.compile(
    r"^([-d])[rwxsStT-]{9}\s+\d+\s+\S+\s+\S+\s+(?:\d+\s+\d+\s+(?:DISK|TAPE)\s+)?(\d{1,18})\s+"
    r"([A-Z][a-z]{2})\s+(\d{1,2})\s+(\d{4}|\d{1,2}:\d{2})\s(.+)$"
)
_LEVEL = re.compile(r"^\s*\d+\s+\((disk|tape)\)\s+\d+\s+\d+\s+(\d{1,18})\s*$")
# Neither a line of a listing nor its header, which hold names: a file may be called like the error.
_ABSENT = re.compile(r"^(?![-d/]).*\[[^\]]*HPSS_ENOENT\]", re.MULTILINE)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


@dataclass(frozen=True, slots=True)
class Levels:
    """Bytes of a file by kind of level; a kind without a level is not there."""

    size: int
    disk: int | None
    tape: int | None

    def whole(self, there: int | None) -> bool:
        return there is not None and there >= self.size


class Hsi:
    """Implements ``hsm.files.Tree`` below ``base``, a directory of HPSS."""

    def __init__(self, commands: Commands, base: str) -> None:
        self._commands = commands
        self._base = base.rstrip("/")

    async def stat(self, path: str) -> Entry | None:
        try:
            if path == ROOT:
                await self._listing(path)
                return Entry("", True, 0, datetime.fromtimestamp(0, UTC))
            listed = await self.entries(parent(path))
        except ObjectNotFound:
            return None
        return next((each for each in listed if each.name == name(path)), None)

    async def entries(self, path: str) -> list[Entry]:
        header, lines = await self._listing(path)
        if header != (self._base + path).rstrip("/"):
            raise ObjectNotFound(path)  # hsi lists a file below the directory it is in
        found = [_entry(match) for line in lines if (match := _LINE.match(line))]
        return [each for each in found if each.name not in {".", ".."}]

    async def levels(self, path: str) -> Levels | None:
        """Where the bytes of a file are; ``None`` when hsi does not say. Raises ``ObjectNotFound``."""
        _, lines = await self._listing(path, "-V")
        for number, line in enumerate(lines):
            match = _LINE.match(line)
            if match and match[1] == "-" and match[6] == name(path):
                found: dict[str, int] = {}
                for each in filter(None, map(_LEVEL.match, lines[number + 1 :])):
                    # A class of service may have several levels of a kind: one with all bytes is a copy.
                    found[each[1]] = max(int(each[2]), found.get(each[1], 0))
                return Levels(int(match[2]), found.get("disk"), found.get("tape")) if found else None
        return None

    async def read(self, path: str, start: int, stop: int | None) -> AsyncIterator[bytes]:
        """Hsi gives whole files: this one is fetched first."""
        with tempfile.TemporaryDirectory(prefix="indigo-qos-") as directory:
            local = Path(directory) / "file"
            await self._do(f"get {_local(local)} : {self._quoted(path)}", path)
            fd = os.open(local, os.O_RDONLY | os.O_CLOEXEC)
            try:
                while stop is None or start < stop:
                    chunk = await settled(os.pread, fd, CHUNK if stop is None else min(CHUNK, stop - start), start)
                    if not chunk:
                        return
                    start += len(chunk)
                    yield chunk
            finally:
                os.close(fd)

    async def put(self, path: str, spool: Spool) -> None:
        await self._do(f"put {_local(spool.path)} : {self._quoted(path)}", path)

    async def make(self, path: str) -> bool:
        if await self.stat(path) is not None:
            return False
        above = await self.stat(parent(path))
        if above is None or not above.container:
            raise Conflict(f"What {path} is in is no container")
        await self._do(f"mkdir {self._quoted(path)}", path)
        return True

    async def delete(self, path: str) -> None:
        entry = await self.stat(path)
        if entry is None:
            raise ObjectNotFound(path)
        await self._do(f"rm {'-R ' if entry.container else ''}{self._quoted(path)}", path)

    async def move(self, source: str, target: str) -> None:
        await self._do(f"mv {self._quoted(source)} {self._quoted(target)}", source)

    async def stage(self, path: str) -> None:
        """Have a file on disk; returns when it is."""
        await self._do(f"stage -w {self._quoted(path)}", path)

    async def migrate(self, path: str) -> None:
        """Have a file on tape."""
        await self._do(f"migrate {self._quoted(path)}", path)

    async def purge(self, path: str) -> None:
        """Give up the copy on disk."""
        await self._do(f"purge {self._quoted(path)}", path)

    async def close(self) -> None:
        """Nothing stays open between two commands."""

    async def check(self) -> None:
        """Raise ``Unavailable`` unless hsi answers."""
        await self._listing(ROOT)

    async def _listing(self, path: str, option: str = "-l") -> tuple[str, list[str]]:
        """The directory a listing names, and the lines below it. Raises ``ObjectNotFound``."""
        output = await self._commands.ask("hsi", "-q", f"ls {option} {self._quoted(path)}")
        lines = (output.stdout + output.stderr).splitlines()
        if any(map(_ABSENT.match, lines)):
            raise ObjectNotFound(path)
        header = next(
            (number for number, line in enumerate(lines) if line.startswith("/") and line.endswith(":")), None
        )
        if header is None:
            raise Unavailable(f"{self._commands.name}: hsi: {output.last_words}")
        return lines[header][:-1].rstrip("/"), lines[header + 1 :]

    async def _do(self, command: str, path: str) -> None:
        output = await self._commands.run("hsi", "-q", command, seconds=_LONG)
        if _ABSENT.search(output.stdout) or _ABSENT.search(output.stderr):
            raise ObjectNotFound(path)
        if output.code != 0:
            raise Unavailable(f"{self._commands.name}: hsi {command.split(maxsplit=1)[0]}: {output.last_words}")

    def _quoted(self, path: str) -> str:
        """Raises ``BadRequest`` for a name that would mean something to hsi."""
        text = (self._base + path).rstrip("/") or "/"
        if not text.isprintable() or _SPECIAL & set(text):
            raise BadRequest("HPSS cannot be told a name with any of " + " ".join(sorted(_SPECIAL)))
        return f'"{text}"'


def _local(path: Path) -> str:
    return f'"{path}"'


def _entry(match: re.Match[str]) -> Entry:
    container = match[1] == "d"
    return Entry(match[6], container, 0 if container else int(match[2]), _modified(match[3], match[4], match[5]))


def _modified(month: str, day: str, when: str) -> datetime:
    # Of recent files hsi says the hour and not the year: midnight of the last such day is near enough.
    now = datetime.now(UTC)
    for year in (now.year, now.year - 1) if ":" in when else (int(when),):
        with suppress(ValueError):
            found = datetime(year, _MONTHS.index(month) + 1, int(day), tzinfo=UTC)
            # Its clock may be ahead of ours.
            if ":" not in when or found <= now + timedelta(days=1):
                return found
    return datetime.fromtimestamp(0, UTC)
