"""GPFS (IBM Storage Scale): the pools of a file system as storage classes, with mmlsattr, mmchattr, mmapplypolicy.

Files that are asked for together are moved by one policy run. Its rule names them by their inodes: rules are
text for m4 and SQL, and no file name is safe in there.

Source: IBM Storage Scale command reference (mmlsattr ``-L``, mmchattr ``-P``, mmlspool, mmapplypolicy ``-i``) and
"Policy rules" (``MIGRATE``, the attribute ``INODE``).
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from indigo_contracts.qos import Locality
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.classes import UNKNOWN, Place, interchangeable
from indigo_qos_gateway.adapters.commands import Commands, file_list
from indigo_qos_gateway.adapters.hsm.backend import Seen
from indigo_qos_gateway.adapters.rounds import Rounds
from indigo_qos_gateway.adapters.threads import Threads
from indigo_qos_gateway.domain.errors import StorageDamage
from indigo_qos_gateway.domain.storage import Attribute, StorageClass

_FIELD = re.compile(r"^([A-Za-z ]+):[ \t]*(.*?)[ \t]*$", re.MULTILINE)
_POOL = re.compile(r"^(\S+)[ \t]+\d+[ \t]+\S+[ \t]+\S+[ \t]+(?:yes|no)[ \t]+(?:yes|no)[ \t]", re.MULTILINE)
_LONG = 24 * 3600.0
_MOST = 1000
_WORTH_A_SCAN = 2


@dataclass(frozen=True, slots=True)
class Pool:
    """A storage pool and what is known of it."""

    name: str
    attributes: Mapping[str, Attribute]


class GpfsManager:
    """Implements ``mounted.backend.Manager``. ``pools`` are those offered, by the names the gateway gives them.

    ``file_system`` is the name mmlspool knows. A file a tape system took the bytes of is unreadable, of an unknown
    class, and has no way back here: that is for the tape system's back-end.
    """

    def __init__(
        self,
        commands: Commands,
        file_system: str,
        pools: Mapping[str, Pool],
        landing_class: str,
        place: Place,
        *,
        together_seconds: float = 1.0,
    ) -> None:
        self.landing_class = landing_class
        self._commands = commands
        self._file_system = file_system
        self._pools = pools
        self._place = place
        self._threads = Threads(commands.name, most=2)
        self._rounds = {
            pool.name: Rounds(partial(self._move, pool.name), together_seconds, most=_MOST)
            for pool in pools.values()
        }

    def classes(self) -> Sequence[StorageClass]:
        return interchangeable({name: pool.attributes for name, pool in self._pools.items()}, self._place)

    def check_name(self, path: Path) -> None:
        """Arguments carry every name."""

    async def seen(self, path: Path) -> Seen:
        output = await self._commands.ask("mmlsattr", "-L", str(path))
        if output.code != 0:
            raise Unavailable(f"{self._commands.name}: mmlsattr: {output.last_words}")
        # The name of a file can hold whatever looks like a field: what follows its own line counts.
        _, _, fields = output.stdout.partition(f"{path}\n")
        found = {name.strip(): value for name, value in _FIELD.findall(fields)}
        misc = found.get("Misc attributes", found.get("Windows attributes", "")).split()
        if "OFFLINE" in misc:
            return Seen(UNKNOWN, Locality.TAPE)
        pool = found.get("storage pool name")
        if not pool:
            return Seen(UNKNOWN, Locality.UNAVAILABLE)
        if "illplaced" in found.get("flags", "").split():
            return Seen(UNKNOWN, Locality.DISK)  # assigned to the pool, but its blocks are elsewhere
        name = next((name for name, each in self._pools.items() if each.name == pool), pool)
        return Seen(name, Locality.DISK)

    async def bring(self, path: Path, target: str, seen: Seen) -> None:  # noqa: ARG002 - every pool has a way
        await self._rounds[self._pools[target].name].join(path)

    async def _move(self, pool: str, paths: Sequence[Path]) -> None:
        listed = [path for path in paths if _in_a_list(path)]
        if len(listed) < _WORTH_A_SCAN:
            listed = []
        errors = [await self._move_one(pool, path) for path in paths if path not in set(listed)]
        if listed:
            errors.append(await self._move_many(pool, listed))
        if any(errors):
            raise StorageDamage("; ".join(each for each in errors if each))

    async def _move_one(self, pool: str, path: Path) -> str | None:
        output = await self._commands.run("mmchattr", "-P", pool, "-I", "yes", str(path), seconds=_LONG)
        return None if output.code == 0 else f"mmchattr: {output.last_words}"

    async def _move_many(self, pool: str, paths: Sequence[Path]) -> str | None:
        inodes = await self._threads.look(_inodes, paths)
        if not inodes:
            return None  # they are gone
        rule = f"RULE 'indigo' MIGRATE TO POOL '{pool}' WHERE INODE IN ({','.join(map(str, inodes))})"
        with file_list([rule]) as rules, file_list([str(path) for path in paths]) as names:
            output = await self._commands.run(
                "mmapplypolicy",
                self._file_system,
                "-P",
                str(rules),
                "-i",
                str(names),
                "-I",
                "yes",
                "-L",
                "0",
                seconds=_LONG,
            )
        return None if output.code == 0 else f"mmapplypolicy: {output.last_words}"

    async def check(self) -> None:
        """Also whether the file system has the pools."""
        output = await self._commands.ask("mmlspool", self._file_system)
        if output.code != 0:
            raise Unavailable(f"{self._commands.name}: mmlspool: {output.last_words}")
        missing = sorted({pool.name for pool in self._pools.values()} - set(_POOL.findall(output.stdout)))
        if missing:
            raise Unavailable(f"{self._commands.name}: the file system has no pool {', '.join(missing)}")

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._rounds.values()))
        self._threads.close()


def _in_a_list(path: Path) -> bool:
    """Whether a list of files can hold the name: one on each line, where a backslash may begin an escape."""
    return str(path).isprintable() and "\\" not in str(path)


def _inodes(paths: Sequence[Path]) -> list[int]:
    """Of the files that are there; links are not followed."""
    found = []
    for path in paths:
        with suppress(FileNotFoundError):
            found.append(path.lstat().st_ino)
    return found
