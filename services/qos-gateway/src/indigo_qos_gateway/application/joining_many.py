"""Many objects at a time in a part of the tree that several back-ends keep, if its own one takes many at a time.

What the part's own back-end keeps, and goes on keeping, is left to it as a whole; what is elsewhere, or goes
elsewhere, is asked about and moved one by one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

from indigo_qos_gateway.application.joining import JoinedBackend
from indigo_qos_gateway.application.ports import Backend, Steps
from indigo_qos_gateway.application.relocating import Relocator
from indigo_qos_gateway.application.row_ports import PlaceViews
from indigo_qos_gateway.application.together import Ends, Together, ask_each
from indigo_qos_gateway.domain.arrival import Arrived
from indigo_qos_gateway.domain.errors import ObjectNotFound, StorageDamage
from indigo_qos_gateway.domain.reach import Offered, Reach
from indigo_qos_gateway.domain.relocation import is_hidden
from indigo_qos_gateway.domain.storage import Status, StepState


@runtime_checkable
class BothWays(Backend, Together, Protocol):
    """A back-end that takes objects one by one, and many at a time."""


def joined(
    prefix: str,
    home: str,
    takers: Sequence[str],
    relocator: Relocator,
    views: PlaceViews,
    steps: Steps,
) -> JoinedBackend:
    """The part of the tree at ``prefix``, which is the back-end ``home``'s, with those that may take over."""
    backends = relocator.backends
    others = [name for name in backends if name != home and name not in takers]
    reach = Reach(
        _offered(backends[home]),
        [_offered(backends[name]) for name in takers],
        [_offered(backends[name]) for name in others],
    )
    own = backends[home]
    if isinstance(own, BothWays):
        return JoinedTogether(prefix, own, reach, relocator, views, steps)
    return JoinedBackend(prefix, own, reach, relocator, views, steps)


def _offered(backend: Backend) -> Offered:
    return Offered(backend.name, backend.landing_class, backend.classes())


class JoinedTogether(JoinedBackend):
    """Implements ``application.together.Together`` too."""

    def __init__(
        self, prefix: str, home: BothWays, reach: Reach, relocator: Relocator, views: PlaceViews, steps: Steps
    ) -> None:
        super().__init__(prefix, home, reach, relocator, views, steps)
        self._together = home
        self._single: dict[str, str] = {}
        """Handles of the steps that were begun one by one, by path."""

    async def statuses(self, paths: Sequence[str]) -> Sequence[Status | Exception | None]:
        at_home = set(await self._at_home(paths))
        found = iter(await self._together.statuses([path for path in paths if path in at_home]))
        return [self._told(path, next(found)) if path in at_home else None for path in paths]

    async def begin(self, paths: Sequence[str], target: str) -> Mapping[str, Exception]:
        held = self._reach.holder(target)
        near = await self._at_home(paths) if held is not None and held[0] == self.name else []
        refused = dict(await self._together.begin(near, held[1])) if held is not None and near else {}

        async def start(path: str) -> str:
            return await self.start(path, target)

        begun = await ask_each([path for path in paths if path not in set(near)], start)
        self._single |= {path: handle for path, handle in begun.items() if isinstance(handle, str)}
        return refused | {path: error for path, error in begun.items() if isinstance(error, Exception)}

    async def ended(self, paths: Sequence[str], patience: float) -> Ends:
        near = [path for path in paths if path not in self._single]
        single = [path for path in paths if path in self._single]
        over = {path: self._renamed(end) for path, end in (await self._together.ended(near, patience)).items()}
        left = 0.0 if near else patience
        for path in reversed(single):  # when the last one is over, most are
            end = await self._end(path, left)
            left = 0.0
            if end is not StepState.RUNNING:
                del self._single[path]
                over[path] = None if isinstance(end, StepState) else end
        return over

    async def stop(self, paths: Sequence[str]) -> None:
        await self._together.stop([path for path in paths if path not in self._single])
        for path in paths:
            handle = self._single.pop(path, None)
            if handle is not None:
                await self.cancel(path, handle)

    async def _at_home(self, paths: Sequence[str]) -> list[str]:
        """Those that are where their paths say, as far as anybody knows."""
        visible = [path for path in paths if not is_hidden(path)]
        elsewhere = await self._views.among([self._outer(path) for path in visible])
        return [path for path in visible if self._outer(path) not in elsewhere]

    def _told(self, path: str, found: Status | Exception | None) -> Status | Exception | None:
        # What is not there may have gone elsewhere since its place was looked up.
        if isinstance(found, ObjectNotFound):
            return None
        return self._shown(path, found, None) if isinstance(found, Status) else found

    async def _end(self, path: str, patience: float) -> Arrived | Exception | StepState:
        try:
            progress = await self.poll(path, self._single[path], patience)
            if progress.state is StepState.DONE:
                return Arrived(await self.status(path), await self.digest(path))
        except Exception as error:  # noqa: BLE001 - whatever one object raises is its own failure
            return error
        if progress.state is StepState.FAILED:
            return StorageDamage(progress.error or f"{path} did not change its class")
        return progress.state

    def _renamed(self, end: Arrived | Exception | None) -> Arrived | Exception | None:
        if not isinstance(end, Arrived):
            return end
        return Arrived(self._shown(end.status.path, end.status, None), end.sha256)
