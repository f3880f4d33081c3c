"""Which back-ends are mounted where, what they offer and how they are."""

from __future__ import annotations

from fastapi import APIRouter

from indigo_qos_gateway.api.deps import Here
from indigo_qos_gateway.api.schemas import BackendClass, BackendState
from indigo_qos_gateway.application.mounts import Mount

router = APIRouter(prefix="/api/backends", tags=["back-ends"])


@router.get("")
async def list_backends(here: Here) -> list[BackendState]:
    """Every mounted back-end."""
    return [await _state(mount) for mount in here.gateway.mounts.mounts]


async def _state(mount: Mount) -> BackendState:
    backend = mount.backend
    health = await backend.health()
    return BackendState(
        name=backend.name,
        type=backend.kind,
        site=backend.site,
        mount=mount.prefix,
        usable=health.usable,
        notes=list(health.notes),
        classes=[
            BackendClass(
                name=each.name,
                object_type=each.object_type.value,
                capabilities_uri=each.uri,
                metadata=dict(each.attributes),
            )
            for each in backend.classes()
        ],
    )
