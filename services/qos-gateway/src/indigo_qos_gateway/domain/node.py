"""What has a name in the tree and no bytes in a storage: references to other addresses, and queues of values.

Sources: CDMI 1.1.1, clauses 5.16 (references) and 11 (queues).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit

from indigo_kernel.problems import BadRequest

from indigo_qos_gateway.domain.paths import Places, name
from indigo_qos_gateway.domain.selection import Span

MOST_VALUE_BYTES = 1024 * 1024
"""Of one value in a queue."""

_ADDRESS = re.compile(r"[\x21-\x7e]{1,2000}")


class NodeKind(StrEnum):
    QUEUE = "queue"
    REFERENCE = "reference"


@dataclass(frozen=True, slots=True)
class Node:
    """One of them. ``target`` is where a reference leads; ``status`` is how far the gateway fills a queue.

    ``last`` is the number of the value that came to a queue last, ``lost`` how many found it full, ``shown`` the
    part of the tree that was shown to the one who had it filled (all for ``None``).
    """

    object_id: str
    path: str
    kind: NodeKind
    domain: str
    created_at: datetime
    metadata: Mapping[str, Any] = field(default_factory=dict)
    target: str | None = None
    status: str | None = None
    last: int = 0
    lost: int = 0
    shown: Places | None = None

    @property
    def listed(self) -> str:
        """Its name as the container shows it."""
        return name(self.path) + ("?" if self.kind is NodeKind.REFERENCE else "")

    def shows(self, path: str) -> bool:
        """Whether the one who had the queue filled may see what is at ``path``."""
        if self.shown is None:
            return True
        return ("/" + path[1:].partition("/")[0] in self.shown.prefixes) != self.shown.others


@dataclass(frozen=True, slots=True)
class Value:
    """A value of a queue. ``encoding`` is how it is shown in JSON: ``utf-8`` or ``base64``."""

    mimetype: str
    encoding: str
    data: bytes


@dataclass(frozen=True, slots=True)
class Which:
    """Which values of a queue: the oldest ``count``, those with the numbers in ``span``, or with neither all."""

    count: int | None = None
    span: Span | None = None


OLDEST = Which(count=1)


def which_values(arguments: list[tuple[str, str | None]]) -> Which:
    """The values the fields ``value`` and ``values`` of a query ask for (clauses 11.3 and 11.7).

    Raises ``BadRequest`` for what is neither a number of values nor a range of their numbers.
    """
    asked = [(name, argument) for name, argument in arguments if name in {"value", "values"}]
    if len(asked) > 1:
        raise BadRequest("One field says which values: value, values:3 or values:1-3")
    if not asked or asked[0][1] is None:
        return OLDEST
    text = asked[0][1]
    first, dash, last = text.partition("-")
    if not re.fullmatch(r"\d{1,18}(-\d{1,18})?", text) or (dash and int(first) > int(last)) or text == "0":
        raise BadRequest("values takes a number of values such as values:3, or their numbers such as values:1-3")
    return Which(span=Span(int(first), int(last))) if dash else Which(count=int(text))


def check_address(text: str) -> str:
    """Where a reference leads: an http(s) address or an absolute path here, escaped. Raises ``BadRequest``."""
    usable = _ADDRESS.fullmatch(text) is not None and not text.startswith("//")
    if usable and not text.startswith("/"):
        try:
            parts = urlsplit(text)
            usable = parts.scheme in {"http", "https"} and bool(parts.hostname)
        except ValueError:
            usable = False
    if not usable:
        raise BadRequest("A reference leads to an http or https address, or to a path that begins with one '/'")
    return text
