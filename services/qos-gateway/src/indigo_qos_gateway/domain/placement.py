"""When a promised preservation copy is to be made, or made anew with another storage class."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from indigo_contracts.dmp import StoragePromise
from indigo_contracts.qos import TransitionState
from indigo_contracts.repository import PlanLink

from indigo_qos_gateway.domain.transition import Transition


@dataclass(frozen=True, slots=True)
class PlanPromises:
    """What one edition of a plan promises about storage, by output. Older editions and versions do not count."""

    plan_id: str
    edition: int
    version: int
    outputs: Mapping[str, StoragePromise]

    def newer_than(self, other: PlanPromises | None) -> bool:
        return other is None or (self.edition, self.version) > (other.edition, other.version)

    def link(self, output: str) -> PlanLink:
        return PlanLink(plan_id=self.plan_id, edition=self.edition, output=output)


def is_due(promise: StoragePromise, edition: int, last: Transition | None) -> bool:
    """Whether a transition is to be requested, given the ``last`` one of the record.

    A failed or cancelled one is tried again by a later edition only: the same promise would meet the same fate.
    While one runs nothing is due; the end of it asks again.
    """
    if last is None:
        return True
    if last.active:
        return False
    if last.target_class != promise.storage_class:
        return True
    later = last.plan is None or last.plan.edition < edition
    return last.state is not TransitionState.COMPLETED and later


def is_below(url: str, base: str) -> bool:
    """Whether ``url`` is a plain address below ``base``: same scheme, host and port, path below by segments."""
    try:
        target, root = urlsplit(url), urlsplit(base)
        same = (target.scheme, target.hostname, target.port) == (root.scheme, root.hostname, root.port)
    except ValueError:
        return False
    strange = target.username is not None or target.password is not None or "\\" in url or "%2e" in url.lower()
    segments = target.path.split("/")
    if not same or strange or ".." in segments or "." in segments:
        return False
    prefix = root.path.rstrip("/") + "/"
    return target.path.startswith(prefix)
