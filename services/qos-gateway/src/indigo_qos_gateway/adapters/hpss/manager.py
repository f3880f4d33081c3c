"""Where HPSS has the bytes of a file, and hsi's ways to have them elsewhere."""

from __future__ import annotations

from indigo_contracts.qos import Locality

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, TAPE_ONLY
from indigo_qos_gateway.adapters.hpss.hsi import Hsi
from indigo_qos_gateway.adapters.hsm.backend import Seen, seen_at
from indigo_qos_gateway.adapters.steps import Steps
from indigo_qos_gateway.domain.storage import Progress

_STEPS = 4
"""Files that hsi moves at the same time."""


class HpssManager:
    """Implements ``hsm.backend.Manager``. A recall ends with the hsi that asked for it."""

    def __init__(self, hsi: Hsi) -> None:
        self._hsi = hsi
        self._steps = Steps(_STEPS)

    async def seen(self, path: str) -> Seen:
        levels = await self._hsi.levels(path)
        if levels is None:
            return seen_at(Locality.UNAVAILABLE)
        match levels.whole(levels.disk), levels.whole(levels.tape):
            case True, True:
                return seen_at(Locality.DISK_AND_TAPE)
            case True, False:
                return seen_at(Locality.DISK)
            case False, True:
                return seen_at(Locality.TAPE)
        return seen_at(Locality.LOST)

    async def start(self, path: str, target: str, seen: Seen) -> str | None:
        async def run() -> None:
            if target == DISK_AND_TAPE and seen.locality is Locality.TAPE:
                await self._hsi.stage(path)
                return
            if seen.locality is Locality.DISK:
                await self._hsi.migrate(path)
            # The copy on disk is given up when there is one on tape, and not because hsi said so.
            if target == TAPE_ONLY and (await self.seen(path)).locality is Locality.DISK_AND_TAPE:
                await self._hsi.purge(path)

        return self._steps.start(path, target, run)

    async def poll(self, path: str, request: str) -> Progress:  # noqa: ARG002 - the request suffices
        return await self._steps.poll(request, 0.05)

    async def cancel(self, path: str, request: str) -> None:  # noqa: ARG002 - the request suffices
        await self._steps.cancel(request)

    async def forget(self, path: str) -> None:
        """A step for a file that is gone ends by itself."""

    async def check(self) -> None:
        await self._hsi.check()

    async def close(self) -> None:
        await self._steps.close()
