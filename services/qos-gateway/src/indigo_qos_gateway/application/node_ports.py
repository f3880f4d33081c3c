"""What the use cases about references, queues and domains need of the database."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from indigo_qos_gateway.domain.domain import Domain, Totals
from indigo_qos_gateway.domain.node import Node, Value, Which
from indigo_qos_gateway.domain.paths import Places


@dataclass(frozen=True, slots=True)
class Like:
    """What copies of references and queues have that the old ones have not; the same in all of them."""

    domain: str
    shown: Places | None
    created_at: datetime


class Nodes(Protocol):
    async def find(self, path: str, *, for_update: bool = False) -> Node | None: ...

    async def by_id(self, object_id: str) -> Node | None: ...

    async def over(self, path: str) -> Node | None:
        """The one at a path, or at one of those it is below, where a container would have to be."""
        ...

    async def inside(self, container: str) -> Sequence[Node]:
        """References and queues in a container, without those further down."""
        ...

    async def add(self, new: Node) -> bool:
        """Store it; False when its path is taken by another one."""
        ...

    async def save(self, changed: Node) -> None:
        """Store its metadata, its domain and what it shows."""
        ...

    async def set_status(self, object_id: str, status: str) -> None:
        """Note how far a queue is filled."""
        ...

    async def rename(self, source: str, path: str) -> None:
        """Give those at ``source`` and below it the same place at ``path``."""
        ...

    async def copy(self, source: str, path: str, new_id: Callable[[], str], like: Like) -> Sequence[Node]:
        """Copies of those at ``source`` and below it at the same places of ``path``, queues with their values."""
        ...

    async def forget(self, path: str) -> None:
        """Remove what is at the path and below it, with all values."""
        ...

    async def anyone_listens(self) -> bool:
        """Whether there is a notification queue."""
        ...

    async def listening(self) -> Sequence[Node]:
        """Every notification queue."""
        ...

    async def progress(self, object_id: str) -> str | None:
        """The path a query came to; ``None`` before the first."""
        ...

    async def advance(self, object_id: str, path: str | None) -> None:
        """Note the path a query came to."""
        ...


class Queues(Protocol):
    async def hold(self, object_ids: Sequence[str]) -> None:
        """Let nobody else put values into these, or take some out, until the transaction ends."""
        ...

    async def extent(self, object_id: str) -> tuple[int, int] | None:
        """The numbers of the oldest and the newest value; ``None`` for an empty queue."""
        ...

    async def push(self, object_id: str, values: Sequence[Value], *, most: int, most_bytes: int) -> bool:
        """Append the values; False when they do not fit, and none was."""
        ...

    async def peek(self, object_id: str, which: Which, *, most_bytes: int) -> Sequence[Value]:
        """Those values, the oldest first. Raises ``BadRequest`` when they have more bytes than that."""
        ...

    async def drop(self, object_id: str, which: Which) -> int:
        """Remove those values; how many there were."""
        ...

    async def lose(self, object_id: str, count: int) -> None:
        """Note that values were lost because the queue was full."""
        ...


class Domains(Protocol):
    async def find(self, path: str) -> Domain | None: ...

    async def by_id(self, object_id: str) -> Domain | None: ...

    async def inside(self, path: str) -> Sequence[Domain]:
        """Domains right below a domain."""
        ...

    async def add(self, new: Domain) -> None: ...

    async def save(self, changed: Domain) -> None: ...

    async def remove(self, path: str) -> None: ...

    async def totals(self, path: str, now: datetime, shown: Places | None = None) -> Totals:
        """What belongs to the domain ``now``, of the part of the tree that is ``shown`` (all for ``None``)."""
        ...

    async def reassign(self, path: str, to: str) -> None:
        """Give everything that belongs to a domain to another one."""
        ...
