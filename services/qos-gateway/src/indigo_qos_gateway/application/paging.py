"""Parts of long listings: where a storage can give one by itself, nothing before it is read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from indigo_qos_gateway.domain.storage import Child


@runtime_checkable
class Paged(Protocol):
    """What a back-end may offer besides ``ports.Backend``."""

    async def page(self, path: str, first: int, count: int) -> Sequence[Child]:
        """The entries of a container from position ``first`` on, ``count`` of them or those that are left.

        In their order the name of a container ends with a slash. Raises ``ObjectNotFound``.
        """
        ...
