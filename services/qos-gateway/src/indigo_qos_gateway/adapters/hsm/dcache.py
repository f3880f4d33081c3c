"""dCache's frontend: where files are, and changes of their quality in bulk requests.

Source: dCache User Guide, "Frontend" (``namespace``, ``bulk-requests`` with the activity ``UPDATE_QOS``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import httpx
from indigo_contracts.qos import Locality
from indigo_kernel.problems import Unavailable

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY, TAPE_IS_KEPT, TAPE_ONLY, UNKNOWN, Ways
from indigo_qos_gateway.adapters.hsm.backend import CLASS_OF, Seen
from indigo_qos_gateway.adapters.hsm.dcache_events import DCacheEvents
from indigo_qos_gateway.adapters.hsm.dcache_policies import STATE, Policies
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.adapters.rounds import Rounds
from indigo_qos_gateway.application.coalesced import Coalesced
from indigo_qos_gateway.domain.storage import Content, Progress, StepState


def ways(policies: Collection[str]) -> Ways:
    """Those of a tape system, and policies, to which files may go from everywhere."""
    return {name: (*others, *policies) for name, others in TAPE_IS_KEPT.items()} | {
        name: (DISK_AND_TAPE, TAPE_ONLY, *(each for each in policies if each != name)) for name in policies
    }


_QOS = {DISK_ONLY: "disk", DISK_AND_TAPE: "disk+tape", TAPE_ONLY: "tape"}
_LOCALITY = {
    "ONLINE": Locality.DISK,
    "NEARLINE": Locality.TAPE,
    "ONLINE_AND_NEARLINE": Locality.DISK_AND_TAPE,
    "UNAVAILABLE": Locality.UNAVAILABLE,
    "LOST": Locality.LOST,
    "NONE": Locality.NONE,
}
_SHA256 = "indigo.sha256"
_MOST = 1000
"""Targets of one bulk request."""

_LONGEST_ERROR = 500
_OVER = {"FAILED": StepState.FAILED, "CANCELLED": StepState.UNKNOWN, "SKIPPED": StepState.UNKNOWN}


@dataclass(frozen=True, slots=True)
class _Bulk:
    """A bulk request, and what dCache says of its targets by their paths."""

    status: str
    targets: Mapping[str, dict[str, Any]]


class DCacheManager:
    """Implements ``Manager``. ``url`` ends with ``/api/v1``; ``base`` is where the tree is in the namespace.

    Changes that are asked for within ``together_seconds`` are one request. ``events`` are closed with it. A file
    whose bytes are where its policy has them is of the policy's class.
    """

    def __init__(
        self,
        remote: Remote,
        url: str,
        base: str,
        events: DCacheEvents | None = None,
        policies: Collection[str] = (),
        *,
        together_seconds: float = 0.05,
    ) -> None:
        self._policies = Policies(remote, url, policies)
        self._remote = remote
        self._events = events
        self._url = url.rstrip("/")
        self._base = base.rstrip("/")
        self._rounds = {
            target: Rounds(partial(self._submit, target), together_seconds, most=_MOST)
            for target in (*_QOS, *policies)
        }
        self._looks = Coalesced(self._look)

    async def seen(self, path: str) -> Seen:
        found = await self._namespace(path, "locality=true&qos=true&xattr=true", path)
        attributes = found.get("extendedAttributes")
        sha256 = attributes.get(_SHA256) if isinstance(attributes, dict) else None
        locality = _LOCALITY.get(str(found.get("fileLocality")), Locality.UNAVAILABLE)
        name = CLASS_OF.get(locality, UNKNOWN)
        # A file on tape keeps a copy on disk until the space is needed; that nobody pinned it is its quality.
        # The quality alone proves nothing: it is set before the copy on tape is made.
        if name == DISK_AND_TAPE and found.get("currentQos") == _QOS[TAPE_ONLY]:
            name = TAPE_ONLY
        recalling = locality is Locality.TAPE and found.get("targetQos") == _QOS[DISK_AND_TAPE]
        known = sha256 if isinstance(sha256, str) else None
        if self._policies.names:
            kept = await self._policies.kept(self._escaped(path), locality)
            if kept is not None:
                return Seen(kept[0], locality, recalling, known, {STATE: str(kept[1])})
        return Seen(name, locality, recalling, known)

    async def start(self, path: str, target: str, seen: Seen) -> str | None:  # noqa: ARG002 - dCache knows
        return await self._rounds[target].join(path)

    async def _submit(self, target: str, paths: Sequence[str]) -> str:
        response = await self._remote.send(
            "POST",
            f"{self._url}/bulk-requests",
            json={
                "activity": "UPDATE_QOS",
                "target": [self._base + path for path in paths],
                "arguments": {"targetQos": _QOS[target]} if target in _QOS else {"qosPolicy": target},
                "expandDirectories": "NONE",
                "clearOnSuccess": False,
                "clearOnFailure": False,
                "cancelOnFailure": False,
            },
        )
        request = response.headers.get("request-url", "").rstrip("/").rpartition("/")[2]
        if not request:
            raise self._remote.strange(response)
        return str(request)

    async def poll(self, path: str, request: str) -> Progress:
        bulk = await self._looks.get(request)
        if bulk is None:
            return Progress(StepState.UNKNOWN)
        target = bulk.targets.get(self._base + path) or bulk.targets.get(path) or {}
        return _progress(bulk.status, target)

    async def cancel(self, path: str, request: str) -> None:  # noqa: ARG002 - dCache cancels whole requests
        """The other files in the request are unknown then, and are asked for again."""
        address = f"{self._url}/bulk-requests/{quote(request, safe='')}"
        await self._remote.send("PATCH", address, json={"action": "cancel"}, also={400, 404})

    async def forget(self, path: str) -> None:
        """Requests are known by their handles alone."""

    async def check(self) -> None:
        await self._namespace("/", "qos=true", None)
        await self._policies.check()

    async def note_content(self, path: str, content: Content) -> None:
        """Keep the SHA-256 of a file as its extended attribute: on tape nobody can compute it."""
        await self._remote.send(
            "POST",
            f"{self._url}/namespace/{self._escaped(path)}",
            path=path,
            json={"action": "set-xattr", "attributes": {_SHA256: content.sha256}},
        )

    async def close(self) -> None:
        await asyncio.gather(*(each.close() for each in self._rounds.values()))
        if self._events is not None:
            await self._events.close()
        await self._remote.close()

    async def _namespace(self, path: str, query: str, missing: str | None) -> dict[str, Any]:
        address = f"{self._url}/namespace/{self._escaped(path)}?{query}"
        found = self._remote.document(await self._remote.send("GET", address, path=missing))
        if "fileType" not in found:
            raise Unavailable(f"{self._remote.name} says nothing about what is at {path}")
        return found

    async def _look(self, requests: Sequence[str]) -> list[_Bulk | Exception | None]:
        """What became of bulk requests: one look tells everyone who waits for a file of it."""
        found: dict[str, _Bulk | Exception | None] = {}
        for request in dict.fromkeys(requests):
            try:
                found[request] = await self._bulk(request)
            except Unavailable as error:
                found[request] = error
        return [found[request] for request in requests]

    async def _bulk(self, request: str) -> _Bulk | None:
        """A bulk request with all its targets; ``None`` when there is no such request."""
        targets: dict[str, dict[str, Any]] = {}
        offset = 0
        while True:
            address = f"{self._url}/bulk-requests/{quote(request, safe='')}?offset={offset}"
            response = await self._remote.send("GET", address, also={404})
            if response.status_code == httpx.codes.NOT_FOUND:
                return None
            found = self._remote.document(response)
            targets |= {str(each.get("target")): each for each in _targets(found)}
            following = found.get("nextId", -1)
            # One that does not go forward would be read for ever.
            if not isinstance(following, int) or following <= offset:
                return _Bulk(str(found.get("status")), targets)
            offset = following

    def _escaped(self, path: str) -> str:
        return quote((self._base + path).strip("/"), safe="")


def _targets(found: dict[str, Any]) -> list[dict[str, Any]]:
    targets = found.get("targets")
    return [each for each in targets if isinstance(each, dict)] if isinstance(targets, list) else []


def _progress(status: str, target: dict[str, Any]) -> Progress:
    state = str(target.get("state", status))
    if state in _OVER:
        error = str(target.get("errorMessage") or target.get("errorType") or state)
        return Progress(_OVER[state], error[:_LONGEST_ERROR])
    if state == "COMPLETED":
        return Progress(StepState.DONE)
    return Progress(StepState.UNKNOWN if status in {"CANCELLED", "CANCELLING"} else StepState.RUNNING)
