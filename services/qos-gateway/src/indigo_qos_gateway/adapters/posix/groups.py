"""Changes of class of many files in one thread."""

from __future__ import annotations

from collections.abc import Sequence

from indigo_qos_gateway.adapters.posix.drives import Report, Step
from indigo_qos_gateway.adapters.posix.files import Files
from indigo_qos_gateway.adapters.posix.movers import Movers
from indigo_qos_gateway.adapters.posix.small_files import SmallFiles
from indigo_qos_gateway.adapters.posix.tiers import Tiers
from indigo_qos_gateway.domain.arrival import Arrived

_MANY = 16
"""Files that are worth another process."""


class Groups:
    """Carries out groups of steps: small files together, everything else one by one."""

    def __init__(self, files: Files, tiers: Tiers, small: SmallFiles, movers: Movers) -> None:
        self._files = files
        self._tiers = tiers
        self._small = small
        self._movers = movers

    def bring(self, steps: Sequence[Step], report: Report) -> None:
        """Bring every step to its end; one that fails stops no other."""
        left = self._by_mover(steps, report) if len(steps) >= _MANY else steps
        for step, end in zip(left, self._small.bring(left), strict=True):
            step.end = end
        report([step for step in left if step.end is not None])
        for step in left:
            if step.end is None:
                try:
                    step.end = self._alone(step)
                except Exception as error:  # noqa: BLE001 - whatever one object raises is its own failure
                    step.end = error
                report([step])

    def close(self) -> None:
        """End the movers. No group is carried out any more."""
        self._movers.close()

    def _by_mover(self, steps: Sequence[Step], report: Report) -> Sequence[Step]:
        """Have a mover bring what it can; the steps it did not bring, whose reasons come out here."""
        asked = [step for step in steps if not step.stopped]
        for step, end in zip(asked, self._movers.bring(asked), strict=True):
            step.end = end
        report([step for step in asked if step.end is not None])
        return [step for step in steps if step.end is None]

    def _alone(self, step: Step) -> Arrived:
        step.watch()
        if self._files.set_container_class(step.path, step.target):
            return Arrived(self._tiers.status(step.path))
        return self._tiers.bring(step.path, step.target, step.watch)
