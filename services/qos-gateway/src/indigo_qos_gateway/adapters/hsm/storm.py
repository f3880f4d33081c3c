"""StoRM's back-end with its recall table, as the INDIGO plug-in for StoRM used it.

Source: StoRM, "Recall table" (``/metadata``, ``/recalltable/task``), and the INDIGO plug-in cdmi-storm.
"""

from __future__ import annotations

from urllib.parse import parse_qs, quote, urlsplit

import httpx
from indigo_contracts.qos import Locality

from indigo_qos_gateway.adapters.classes import DISK_AND_TAPE, DISK_ONLY, TAPE_ONLY, Ways
from indigo_qos_gateway.adapters.hsm.backend import Seen, seen_at
from indigo_qos_gateway.adapters.http.remote import Remote
from indigo_qos_gateway.domain.storage import Progress, StepState

WAYS: Ways = {DISK_ONLY: (DISK_AND_TAPE,), TAPE_ONLY: (DISK_AND_TAPE,)}
"""A file is recalled on request. It goes to tape when GEMSS finds it is time, and so does its copy on disk."""

_ABORTED = "status=4"
_STATES = {
    "SUCCESS": StepState.DONE,
    "ERROR": StepState.FAILED,
    "ABORTED": StepState.UNKNOWN,
    "UNDEFINED": StepState.UNKNOWN,
}


class StormManager:
    """Implements ``Manager``. ``url`` is that of the back-end's REST service, ``vo`` the owner of recalls."""

    def __init__(self, remote: Remote, url: str, base: str, vo: str) -> None:
        self._remote = remote
        self._url = url.rstrip("/")
        self._base = base.rstrip("/")
        self._vo = vo

    async def seen(self, path: str) -> Seen:
        address = f"{self._url}/metadata{quote(self._base + path, safe='/')}"
        response = await self._remote.send("GET", address, path=path)
        found = self._remote.document(response)
        attributes = found.get("attributes")
        if found.get("type") not in {"FILE", "FOLDER"} or not isinstance(attributes, dict):
            raise self._remote.strange(response)
        migrated = attributes.get("migrated") is True
        recalling = attributes.get("TSMRecT") is not None
        match found.get("status"):
            case "ONLINE":
                return seen_at(Locality.DISK_AND_TAPE if migrated else Locality.DISK)
            case "NEARLINE":
                # A stub without the mark has lost its bytes.
                return seen_at(Locality.TAPE if migrated else Locality.LOST, recalling=recalling)
            case _:
                return seen_at(Locality.UNAVAILABLE)

    async def start(self, path: str, target: str, seen: Seen) -> str | None:  # noqa: ARG002 - there is one target
        if seen.locality is not Locality.TAPE:
            return None
        body = {
            "stfn": self._base + path,
            "userId": "indigo-qos-gateway",
            "voName": self._vo,
            "retryAttempts": 0,
            "pinLifetime": -1,
        }
        response = await self._remote.send("POST", f"{self._url}/recalltable/task", json=body)
        location = urlsplit(response.headers.get("location", ""))
        group = location.path.rpartition("/")[2]
        token = parse_qs(location.query).get("requestToken", [""])[0]
        if not group or not token:
            raise self._remote.strange(response)
        # The address StoRM gives is that of its own host name: only its last parts are used.
        return f"{group}?{token}"

    async def poll(self, path: str, request: str) -> Progress:  # noqa: ARG002 - a task has one path
        group, _, token = request.partition("?")
        address = f"{self._task(group)}?requestToken={quote(token, safe='')}"
        response = await self._remote.send("GET", address, also={404})
        if response.status_code == httpx.codes.NOT_FOUND:
            return Progress(StepState.UNKNOWN)
        status = self._remote.document(response).get("status")
        state = _STATES.get(str(status), StepState.RUNNING)
        return Progress(state, "StoRM could not recall the file" if state is StepState.FAILED else None)

    async def cancel(self, path: str, request: str) -> None:  # noqa: ARG002 - a task has one path
        headers = {"content-type": "text/plain"}
        address = self._task(request.partition("?")[0])
        await self._remote.send("PUT", address, headers=headers, content=_ABORTED, also={404})

    async def forget(self, path: str) -> None:
        """Requests are known by their handles alone."""

    async def check(self) -> None:
        found = await self._remote.send("GET", f"{self._url}/metadata{quote(self._base or '/', safe='/')}")
        self._remote.document(found)

    async def close(self) -> None:
        await self._remote.close()

    def _task(self, group: str) -> str:
        return f"{self._url}/recalltable/task/{quote(group, safe='')}"
