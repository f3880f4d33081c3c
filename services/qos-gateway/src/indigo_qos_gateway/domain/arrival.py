"""What a storage saw at the end of a change of class it carried out itself."""

from __future__ import annotations

from dataclasses import dataclass

from indigo_qos_gateway.domain.storage import Status


@dataclass(frozen=True, slots=True)
class Arrived:
    """An object at its new class, as it was found there after the change.

    ``sha256`` is of bytes that were read back from every tier the class promises and found to be the same; it is
    absent for containers.
    """

    status: Status
    sha256: str | None = None
