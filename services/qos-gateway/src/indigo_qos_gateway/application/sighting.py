"""What is at a path: what the gateway knows of it and, after that, what its storage says.

In this order a transition that ends meanwhile looks as if it still ran, never as if it had failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from indigo_qos_gateway.application.coalesced import Coalesced
from indigo_qos_gateway.application.mounts import Mount, MountTable
from indigo_qos_gateway.application.row_ports import Seen, Views
from indigo_qos_gateway.application.together import Together
from indigo_qos_gateway.domain.storage import Status


class Sightings:
    """What many ask for at the same time is one statement and, where a storage can, one question to the storage.

    Both are then asked one after the other for the same paths: who came together stays together. Every mount has
    its own questions, so that a storage that hangs keeps nobody waiting but those who ask for it.
    """

    def __init__(self, mounts: MountTable, views: Views) -> None:
        self._mounts = mounts
        self._known = Coalesced(views.find)
        self._views = views
        self._both: dict[str, Coalesced[str, tuple[Seen | None, Status | None]]] = {
            mount.prefix: Coalesced(partial(self._ask, mount, mount.backend))
            for mount in mounts.mounts
            if isinstance(mount.backend, Together)
        }

    async def at(self, path: str) -> tuple[Seen | None, Status]:
        """What is at ``path``. Raises ``ObjectNotFound`` when the storage has nothing there."""
        mount = self._mounts.at(path)
        if mount.prefix in self._both:
            known, status = await self._both[mount.prefix].get(path)
        else:
            known, status = await self._known.get(path), None
        return known, status or await mount.status(path)

    async def _ask(
        self, mount: Mount, backend: Together, paths: Sequence[str]
    ) -> list[tuple[Seen | None, Status | None] | Exception]:
        known = await self._views.find(paths)
        said = await backend.statuses([mount.inner(path) for path in paths])
        return [
            each if isinstance(each, Exception) else (seen, each and each.at(path))
            for path, seen, each in zip(paths, known, said, strict=True)
        ]
