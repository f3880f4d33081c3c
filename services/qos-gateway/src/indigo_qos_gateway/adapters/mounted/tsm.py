"""GEMSS and TSM (IBM Storage Protect for Space Management): dsmls, dsmmigrate, dsmrecall.

Recalls that are asked for together are given to TSM together, in the order of the tapes: what comes while tapes
run waits for the next round.

Source: IBM documentation of the space management commands; CNAF's and EUDAT's scripts for the output of dsmls and
the lists ``dsmrecall -p`` makes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from indigo_contracts.qos import Locality
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.classes import (
    DISK_AND_TAPE,
    DISK_ONLY,
    TAPE_IS_KEPT,
    TAPE_ONLY,
    UNKNOWN,
    Place,
    offered,
)
from indigo_qos_gateway.adapters.commands import Commands, file_list, in_quotes
from indigo_qos_gateway.adapters.hsm.backend import Seen
from indigo_qos_gateway.adapters.rounds import Rounds
from indigo_qos_gateway.domain.errors import StorageDamage
from indigo_qos_gateway.domain.storage import StorageClass

_LINE = re.compile(r"^\s*(\d+)\s+(\d+)\s+(\d+)\s+([a-z-])(?:\s*\([a-z]\))?\s+(.+?)\s*$")
_STATES: Mapping[str, Seen] = {
    "r": Seen(DISK_ONLY, Locality.DISK),
    "p": Seen(DISK_AND_TAPE, Locality.DISK_AND_TAPE),
    "m": Seen(TAPE_ONLY, Locality.TAPE),
}
_COLLECTION = re.compile(r"^Output collection list created.*?:\s*(\S.*?)\s*$", re.MULTILINE)
_LONG = 24 * 3600.0


class TsmManager:
    """Implements ``mounted.backend.Manager``. ``file_system`` is the mount point TSM knows.

    ``together_seconds`` is how long a recall waits for others before the tapes start.
    """

    landing_class = DISK_ONLY

    def __init__(
        self,
        commands: Commands,
        file_system: Path,
        place: Place,
        *,
        together_seconds: float = 5.0,
    ) -> None:
        self._commands = commands
        self._file_system = file_system
        self._place = place
        self._recalls = Rounds(self._recall_in_order, together_seconds)

    def classes(self) -> Sequence[StorageClass]:
        return offered(self._place, TAPE_IS_KEPT)

    def check_name(self, path: Path) -> None:
        in_quotes(path)

    async def seen(self, path: Path) -> Seen:
        with file_list([in_quotes(path)]) as names:
            output = await self._commands.ask("dsmls", f"-FILElist={names}")
        for line in output.stdout.splitlines():
            match = _LINE.match(line)
            if match and Path(match[5]).name == path.name and match[4] in _STATES:
                known = _STATES[match[4]]
                return Seen(known.storage_class, known.locality, recalling=path in self._recalls.running)
        if output.code != 0:
            raise Unavailable(f"{self._commands.name}: dsmls: {output.last_words}")
        return Seen(UNKNOWN, Locality.UNAVAILABLE)

    async def bring(self, path: Path, target: str, seen: Seen) -> None:
        if seen.storage_class == TAPE_ONLY:
            await self._recalls.join(path)
            return
        options = ["-Premigrate"] if target == DISK_AND_TAPE else []
        with file_list([in_quotes(path)]) as names:
            output = await self._commands.run("dsmmigrate", *options, f"-FILElist={names}", seconds=_LONG)
        if output.code != 0:
            raise StorageDamage(f"dsmmigrate: {output.last_words}")

    async def check(self) -> None:
        output = await self._commands.ask("dsmls", str(self._file_system))
        if output.code != 0:
            raise Unavailable(f"{self._commands.name}: dsmls: {output.last_words}")

    async def close(self) -> None:
        await self._recalls.close()

    async def _recall_in_order(self, paths: Sequence[Path]) -> None:
        with file_list([in_quotes(path) for path in paths]) as names:
            prepared = await self._commands.run(
                "dsmrecall", "-p", f"-FILElist={names}", str(self._file_system), seconds=_LONG
            )
            collection = _COLLECTION.search(prepared.stdout)
            # Without tapes to order by, such as on a pool of disks, TSM makes no list.
            order = collection[1] if collection else str(names)
            output = await self._commands.run(
                "dsmrecall", f"-FILElist={order}", str(self._file_system), seconds=_LONG
            )
        if output.code != 0:
            raise StorageDamage(f"dsmrecall: {output.last_words}")
