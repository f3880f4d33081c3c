"""Ceph's gateway: S3, and an admin API that tells which storage classes there really are.

Source: Ceph documentation, "Pool Placement and Storage Classes"; ``GET /admin/config?type=zone`` of Ceph 16.2.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.classes import Place
from indigo_qos_gateway.adapters.s3.api import S3
from indigo_qos_gateway.adapters.s3.backend import NativeClass, S3Backend
from indigo_qos_gateway.domain.storage import BackendHealth


class CephBackend(S3Backend):
    """Implements ``application.ports.Backend``. ``placement`` is the placement target of the bucket."""

    kind = "Ceph"

    def __init__(
        self,
        name: str,
        api: S3,
        offered: Mapping[str, NativeClass],
        landing_class: str,
        place: Place,
        *,
        placement: str = "default-placement",
    ) -> None:
        super().__init__(name, api, offered, landing_class, place)
        self._placement = placement

    async def health(self) -> BackendHealth:
        """Also whether the zone has the classes that are offered, where the user may ask (caps ``zone=read``)."""
        health = await super().health()
        if not health.usable:
            return health
        try:
            there = _storage_classes(await self._api.admin("config", {"type": "zone"}), self._placement)
        except Unavailable:
            note = "whether the zone has the classes is unknown: the user lacks the capability zone=read"
            return BackendHealth(usable=True, notes=(note,))
        missing = sorted(each.native for each in self._offered.values() if each.native not in there)
        if missing:
            note = f"the zone has no storage class {', '.join(missing)} in {self._placement}"
            return BackendHealth(usable=False, notes=(note,))
        return health


def _storage_classes(zone: Any, placement: str) -> set[str]:
    """The classes of a placement in a zone's configuration; none for a document of another form."""
    pools = zone.get("placement_pools", []) if isinstance(zone, dict) else []
    for pool in pools:
        if isinstance(pool, dict) and pool.get("key") == placement:
            value = pool.get("val")
            found = value.get("storage_classes") if isinstance(value, dict) else None
            return set(found) if isinstance(found, dict) else set()
    return set()
