"""Which class an object should be at: the facts brought together for ``domain.choice``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from indigo_qos_gateway.application.mounts import Mount, MountTable
from indigo_qos_gateway.application.ports import Work
from indigo_qos_gateway.application.row_ports import StoredObject
from indigo_qos_gateway.domain.batch import latency
from indigo_qos_gateway.domain.choice import Candidate, Choice, choose
from indigo_qos_gateway.domain.expressions import Attributes
from indigo_qos_gateway.domain.paths import lineage
from indigo_qos_gateway.domain.rules import Facts, Lifetime, Rules
from indigo_qos_gateway.domain.storage import ObjectType, StorageClass
from indigo_qos_gateway.domain.wishes import NAMES, PLACEMENT, Wishes, read_lifetime

_DISK_MS = 1000.0
"""A class that answers sooner is taken to be on disk, unless the operator says otherwise."""


@dataclass(frozen=True, slots=True)
class Chooser:
    """The mounts and what the operator says about them."""

    mounts: MountTable
    rules: Rules

    def candidates(self, mount: Mount) -> list[Candidate]:
        """The classes for data objects there are at a mount, with everything expressions can ask for."""
        return [
            self._candidate(mount, each)
            for each in mount.backend.classes()
            if each.object_type is ObjectType.DATAOBJECT
        ]

    def _candidate(self, mount: Mount, each: StorageClass) -> Candidate:
        holder = mount if each.holder is None else self.mounts.named(each.holder)
        name, backend = each.native or each.name, holder.backend.name
        said = self.rules.attributes.get(backend, {}).get(name, {})
        attributes = {**self.storage(holder), **_known(each), **said}
        return Candidate(each, attributes, self.rules.prices.get(backend, {}).get(name), backend)

    def storage(self, mount: Mount) -> Attributes:
        """What is known of a back-end as a whole."""
        backend = mount.backend
        known = {"storage_type": frozenset({backend.kind}), "backend": frozenset({backend.name})}
        if backend.site is not None:
            known["site"] = frozenset({backend.site})
        return {**known, **self.rules.attributes.get(backend.name, {}).get("", {})}

    def choose(
        self,
        path: str,
        size: int,
        wishes: Wishes,
        container: str,
        now: datetime,
        *,
        created: datetime,
        groups: frozenset[str],
    ) -> Choice:
        """See ``domain.choice.choose``."""
        mount = self.mounts.at(path)
        facts = Facts(path, size, created, groups, self.storage(mount))
        return choose(self.candidates(mount), wishes, self.rules, facts, container, now)

    def lifetime(self, storage_class: StorageClass | None, wishes: Wishes) -> Lifetime | None:
        """How long an object stays in its class: as it wishes, as the operator says, or as the back-end says."""
        if wishes.lifetime is not None or storage_class is None:
            return wishes.lifetime
        said = self.rules.lifetimes.get(storage_class.name)
        return said or read_lifetime(storage_class.metadata)

    def class_at(self, path: str, name: str) -> StorageClass | None:
        """The class for data objects with this name where ``path`` is."""
        for each in self.mounts.at(path).backend.classes():
            if each.object_type is ObjectType.DATAOBJECT and each.name == name:
                return each
        return None


async def inherited(work: Work, paths: Sequence[str]) -> dict[str, StoredObject]:
    """What is known of the paths and of every container they are in."""
    return dict(await work.objects.among(sorted({each for path in paths for each in lineage(path)})))


def effective(
    path: str, known: Mapping[str, StoredObject], own: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What is wished at a path: its own metadata, then those of its containers, the nearest first.

    ``own`` stands for the metadata of an object that is not stored yet.
    """
    wished: dict[str, Any] = {}
    for each in reversed(list(lineage(path))):
        stored = known.get(each)
        metadata = own if own is not None and each == path else stored.metadata if stored else {}
        wished |= {name: value for name, value in metadata.items() if name in NAMES}
    return wished


def _known(storage_class: StorageClass) -> dict[str, frozenset[str]]:
    """Attributes of a class in the words of expressions."""
    known = {
        name.removeprefix("cdmi_").lower(): frozenset([value] if isinstance(value, str) else value)
        for name, value in storage_class.metadata.items()
    }
    known["class"] = frozenset({storage_class.name})
    known["type"] = frozenset({"disk" if latency(storage_class) < _DISK_MS else "tape"})
    if "data_redundancy" in known:
        known["redundancy"] = known["data_redundancy"]
    placed = storage_class.metadata.get(PLACEMENT)
    if placed:
        known["country"] = known["geo"] = frozenset([placed] if isinstance(placed, str) else placed)
    return known
